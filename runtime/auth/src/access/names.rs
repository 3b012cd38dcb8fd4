//! Names of roles, capabilities and parameters as types, so that a chain can list the steps that check them.

/// A type that stands for a name. [`names!`](crate::names) defines such types.
pub trait Named: 'static {
    /// The name.
    const NAME: &'static str;
}

/// A name, or a tuple of up to four, of which one is enough.
pub trait AnyOf: 'static {
    /// The names.
    const NAMES: &'static [&'static str];
}

impl<N: Named> AnyOf for N {
    const NAMES: &'static [&'static str] = &[N::NAME];
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Named),+> AnyOf for ($($name,)+) {
            const NAMES: &'static [&'static str] = &[$($name::NAME),+];
        }
    };
}

tuples!(A B);
tuples!(A B C);
tuples!(A B C D);

/// Defines types that stand for names of roles, capabilities or parameters.
///
/// ```
/// use zerver_auth::Named;
///
/// zerver_auth::names! {
///     /// May do everything.
///     pub Admin = "admin";
///     pub WriteOrders = "orders:write";
/// }
/// assert_eq!(WriteOrders::NAME, "orders:write");
/// ```
#[macro_export]
macro_rules! names {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $text:literal;)*) => {
        $(
            $(#[$attribute])*
            #[derive(Debug)]
            $visibility enum $name {}

            impl $crate::Named for $name {
                const NAME: &'static str = $text;
            }
        )*
    };
}
