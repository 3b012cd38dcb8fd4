//! The form of the values of a type in JSON, as data.

use super::samples::ShapeFormat;

/// Form of the values of a type in JSON.
///
/// ```
/// use serde::Deserialize;
/// use zerver_engine::Shape;
///
/// #[derive(Deserialize)]
/// struct NewTodo { title: String, #[serde(default)] tags: Vec<String> }
///
/// let Shape::Struct { name, fields } = Shape::of::<NewTodo>() else { panic!("not a struct") };
/// let fields: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.is_required)).collect();
/// assert_eq!((name.as_str(), fields), ("NewTodo", vec![("title", true), ("tags", false)]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Unknown.
    Any,
    /// `null`: a unit.
    Null,
    /// A truth value.
    Bool,
    /// A whole number.
    Integer {
        /// Number of bits.
        bits: u8,
        /// True if it can be negative.
        is_signed: bool,
    },
    /// A number.
    Number,
    /// A text.
    Text(ShapeFormat),
    /// Bytes.
    Bytes,
    /// A value that may be absent or `null`.
    Optional(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// A list of fixed length.
    Tuple(Vec<Shape>),
    /// An object with any keys.
    Map(Box<Shape>),
    /// An object whose fields are unknown.
    Object,
    /// An object.
    Struct {
        /// Name of the type.
        name: String,
        /// Fields, in the order of their declaration.
        fields: Vec<ShapeField>,
    },
    /// An enum: a text for a variant without a value, and otherwise an object whose only key is the variant.
    Choice {
        /// Name of the type.
        name: String,
        /// Variants with the shapes of their values.
        variants: Vec<(String, Shape)>,
    },
    /// A value of a type of this name that contains it.
    Recursive(String),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeField {
    /// Name in JSON.
    pub name: String,
    /// Shape of its value.
    pub shape: Shape,
    /// True if it may not be absent.
    pub is_required: bool,
}
