//! Groups: effects that are performed at the same time.

use std::any::Any;
use std::fmt;

use super::composition::Effect;
use super::program::{GroupOp, Op, Program, Resolver, take};
use crate::Failure;

/// An effect of a group and, once there is one, its output.
struct Member<T> {
    program: Program,
    output: Option<Result<T, Failure>>,
}

impl<T: 'static> Member<T> {
    fn new(effect: Effect<T>) -> Self {
        Self { program: effect.into_program(), output: None }
    }

    fn put(&mut self, output: &mut dyn Any) {
        self.output = take(output);
    }

    fn finish(self) -> Result<T, Failure> {
        let lost = || Err(Failure::internal("effect").message("ended without an output"));
        self.output.unwrap_or_else(lost)
    }
}

/// Performs several effects at the same time and returns their outputs as a tuple. It waits for all of them, and fails
/// with the first failure, in the order of the tuple.
///
/// ```
/// use zerver_engine::{Effect, all};
///
/// let both: Effect<(u32, &str)> = all((Effect::ready(1), Effect::ready("a")));
/// ```
pub fn all<A: All>(effects: A) -> Effect<A::Output> {
    effects.all()
}

/// A tuple of two to four effects.
pub trait All {
    /// Tuple of their outputs.
    type Output;
    /// Performs them at the same time.
    fn all(self) -> Effect<Self::Output>;
}

macro_rules! all {
    ($all:ident $($t:ident $at:literal),+) => {
        #[allow(non_snake_case)]
        struct $all<$($t),+> {
            $($t: Member<$t>),+
        }

        impl<$($t: Send + 'static),+> GroupOp for $all<$($t),+> {
            fn len(&self) -> usize {
                [$($at),+].len()
            }

            fn program(&mut self, at: usize) -> Program {
                match at {
                    $($at => std::mem::take(&mut self.$t.program),)+
                    _ => Program::default(),
                }
            }

            fn put(&mut self, at: usize, output: &mut dyn Any) -> bool {
                match at {
                    $($at => self.$t.put(output),)+
                    _ => {}
                }
                false
            }

            fn finish(self: Box<Self>, resolver: &mut Resolver<'_>) {
                let Self { $($t),+ } = *self;
                resolver.resolve((|| Ok(($($t.finish()?,)+)))());
            }

            fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result {
                $(f.write_str(" ")?; self.$t.program.describe(f, depth)?;)+
                Ok(())
            }
        }

        #[allow(non_snake_case)]
        impl<$($t: Send + 'static),+> All for ($(Effect<$t>,)+) {
            type Output = ($($t,)+);

            fn all(self) -> Effect<Self::Output> {
                let ($($t,)+) = self;
                Effect::from_op(Op::Group(Box::new($all { $($t: Member::new($t)),+ })))
            }
        }
    };
}

all!(All2 A 0, B 1);
all!(All3 A 0, B 1, C 2);
all!(All4 A 0, B 1, C 2, D 3);

struct JoinAll<T>(Vec<Member<T>>);

impl<T: Send + 'static> GroupOp for JoinAll<T> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn program(&mut self, at: usize) -> Program {
        self.0.get_mut(at).map(|member| std::mem::take(&mut member.program)).unwrap_or_default()
    }

    fn put(&mut self, at: usize, output: &mut dyn Any) -> bool {
        if let Some(member) = self.0.get_mut(at) {
            member.put(output);
        }
        false
    }

    fn finish(self: Box<Self>, resolver: &mut Resolver<'_>) {
        resolver.resolve(self.0.into_iter().map(Member::finish).collect::<Result<Vec<T>, Failure>>());
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result {
        self.0.iter().try_for_each(|member| {
            f.write_str(" ")?;
            member.program.describe(f, depth)
        })
    }
}

/// Performs any number of effects of one type at the same time and returns their outputs in order. It waits for all of
/// them, and fails with the first failure, in that order.
pub fn join_all<T: Send + 'static>(effects: impl IntoIterator<Item = Effect<T>>) -> Effect<Vec<T>> {
    Effect::from_op(Op::Group(Box::new(JoinAll(effects.into_iter().map(Member::new).collect()))))
}
