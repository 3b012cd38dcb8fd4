//! Effects that are performed at the same time.

use std::any::Any;
use std::fmt;

use super::machine::{Out, take};
use super::program::{Op, Program};
use super::{All, Effect};
use crate::Failure;

/// Several programs and their outputs, with their types forgotten.
pub(super) trait Group: Send {
    /// How many programs it has.
    fn len(&self) -> usize;

    /// The program at this position, once.
    fn program(&mut self, at: usize) -> Program;

    /// Takes in what the program at this position has given: an `Option<Result<A, Failure>>`, which is taken.
    fn put(&mut self, at: usize, output: &mut dyn Any);

    /// Gives the outputs, or the first failure.
    fn end(self: Box<Self>, out: &mut Out<'_>);

    fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result;
}

/// An effect and, once it is there, its output.
struct Member<T> {
    program: Program,
    output: Option<Result<T, Failure>>,
}

impl<T: 'static> Member<T> {
    fn new(effect: Effect<T>) -> Self {
        Self { program: effect.program, output: None }
    }

    fn put(&mut self, output: &mut dyn Any) {
        self.output = take(output);
    }

    fn end(self) -> Result<T, Failure> {
        let lost = || Err(Failure::internal("effect").message("ended without an output"));
        self.output.unwrap_or_else(lost)
    }
}

macro_rules! all {
    ($all:ident $($t:ident $at:literal),+) => {
        #[allow(non_snake_case)]
        struct $all<$($t),+> {
            $($t: Member<$t>),+
        }

        impl<$($t: Send + 'static),+> Group for $all<$($t),+> {
            fn len(&self) -> usize {
                [$($at),+].len()
            }

            fn program(&mut self, at: usize) -> Program {
                match at {
                    $($at => std::mem::take(&mut self.$t.program),)+
                    _ => Program::default(),
                }
            }

            fn put(&mut self, at: usize, output: &mut dyn Any) {
                match at {
                    $($at => self.$t.put(output),)+
                    _ => {}
                }
            }

            fn end(self: Box<Self>, out: &mut Out<'_>) {
                let Self { $($t),+ } = *self;
                out.give((|| Ok(($($t.end()?,)+)))());
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
                Effect::of(Op::Group(Box::new($all { $($t: Member::new($t)),+ })))
            }
        }
    };
}

all!(All2 A 0, B 1);
all!(All3 A 0, B 1, C 2);
all!(All4 A 0, B 1, C 2, D 3);

struct JoinAll<T>(Vec<Member<T>>);

impl<T: Send + 'static> Group for JoinAll<T> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn program(&mut self, at: usize) -> Program {
        self.0.get_mut(at).map(|member| std::mem::take(&mut member.program)).unwrap_or_default()
    }

    fn put(&mut self, at: usize, output: &mut dyn Any) {
        if let Some(member) = self.0.get_mut(at) {
            member.put(output);
        }
    }

    fn end(self: Box<Self>, out: &mut Out<'_>) {
        out.give(self.0.into_iter().map(Member::end).collect::<Result<Vec<T>, Failure>>());
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result {
        self.0.iter().try_for_each(|member| {
            f.write_str(" ")?;
            member.program.describe(f, depth)
        })
    }
}

/// Performs any number of effects of one type at the same time and gives their outputs in order.
pub fn join_all<T: Send + 'static>(effects: impl IntoIterator<Item = Effect<T>>) -> Effect<Vec<T>> {
    Effect::of(Op::Group(Box::new(JoinAll(effects.into_iter().map(Member::new).collect()))))
}
