//! Variables that the client knows, by reference. References hold until the next stop.

use std::collections::BTreeMap;

use super::scopes::Scope;
use super::variable_tree::VariableTree;

/// Variables by reference, from 1.
#[derive(Default)]
pub(crate) struct Variables {
    groups: Vec<Vec<Variable>>,
    /// References of the scopes of each row, so that asking again creates none.
    scopes: BTreeMap<usize, Vec<ScopeReference>>,
    /// References of evaluated expressions, by row.
    evaluated: BTreeMap<(usize, String), Variable>,
}

/// A variable. `reference` is that of its parts, or 0.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) path: Option<String>,
    pub(crate) is_list: bool,
    pub(crate) reference: usize,
    pub(crate) parts: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ScopeReference {
    pub(crate) name: &'static str,
    pub(crate) reference: usize,
    pub(crate) variables: usize,
}

/// Maximum number of expressions that are remembered between two stops.
const MAX_EVALUATED: usize = 1000;

impl Variables {
    /// Returns the scopes of a row. `make` is called for the first time only.
    pub(crate) fn scopes(&mut self, row: usize, make: impl FnOnce() -> Vec<Scope>) -> Vec<ScopeReference> {
        if let Some(known) = self.scopes.get(&row) {
            return known.clone();
        }
        let scopes: Vec<ScopeReference> = make()
            .into_iter()
            .map(|Scope { name, variables }| {
                let count = variables.len();
                ScopeReference { name, reference: self.add_all(variables), variables: count }
            })
            .collect();
        self.scopes.insert(row, scopes.clone());
        scopes
    }

    /// Returns the value of an expression. `make` is called for the first time only.
    pub(crate) fn evaluated(
        &mut self,
        row: usize,
        expression: &str,
        make: impl FnOnce() -> Option<VariableTree>,
    ) -> Option<Variable> {
        let key = (row, expression.to_owned());
        if let Some(known) = self.evaluated.get(&key) {
            return Some(known.clone());
        }
        if self.evaluated.len() == MAX_EVALUATED {
            return make().map(|tree| Variable { reference: 0, ..Self::leaf(&tree) });
        }
        let variable = self.add(make()?);
        self.evaluated.insert(key, variable.clone());
        Some(variable)
    }

    /// Returns the variables of a reference.
    pub(crate) fn get(&self, reference: i64) -> Option<&[Variable]> {
        let at = usize::try_from(reference).ok()?.checked_sub(1)?;
        self.groups.get(at).map(Vec::as_slice)
    }

    fn leaf(tree: &VariableTree) -> Variable {
        Variable {
            name: tree.name.clone(),
            text: tree.text.clone(),
            path: tree.path.clone(),
            is_list: tree.is_list,
            reference: 0,
            parts: tree.parts.len(),
        }
    }

    fn add(&mut self, tree: VariableTree) -> Variable {
        let variable = Self::leaf(&tree);
        match tree.parts.is_empty() {
            true => variable,
            false => Variable { reference: self.add_all(tree.parts), ..variable },
        }
    }

    fn add_all(&mut self, trees: Vec<VariableTree>) -> usize {
        let variables = trees.into_iter().map(|tree| self.add(tree)).collect();
        self.groups.push(variables);
        self.groups.len()
    }
}
