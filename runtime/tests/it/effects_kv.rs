//! Stores of keys and values: one table of tests for all of them.
