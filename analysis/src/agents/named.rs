//! How agents are named in the tables of a report.

use crate::read::episodes::Recipe;
use crate::report::{Cell, thousands};

/// Beside trained agents stands how they came about, where that is known of one.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    trained: bool,
}

impl Named {
    /// For tables of agents with these `recipes`.
    pub(crate) fn of<'a>(mut recipes: impl Iterator<Item = Option<&'a Recipe>>) -> Named {
        Named { trained: recipes.any(|recipe| recipe.is_some()) }
    }

    /// The columns of a table whose first one is `first`.
    pub(crate) fn columns<'a>(self, first: &'a str, others: &[&'a str]) -> Vec<&'a str> {
        let of_recipe: &[&str] = if self.trained { &["recipe", "training steps"] } else { &[] };
        [&[first], of_recipe, others].concat()
    }

    /// The row of the agent `name`.
    pub(crate) fn row(self, name: &str, recipe: Option<&Recipe>, others: Vec<Cell>) -> Vec<Cell> {
        self.row_of(name, recipe.as_slice(), others)
    }

    /// The row of agents of one kind that came about by `recipes`, each from a checkpoint of its own.
    pub(crate) fn row_of(self, name: &str, recipes: &[&Recipe], others: Vec<Cell>) -> Vec<Cell> {
        let mut row = vec![Cell::text(name)];
        if self.trained {
            let words = recipes.first().and_then(|recipe| recipe.name.as_deref());
            let alike = words.filter(|_| recipes.iter().all(|recipe| recipe.name.as_deref() == words));
            row.push(Cell::text(alike.unwrap_or("–")));
            let steps = || recipes.iter().map(|recipe| recipe.steps);
            row.push(match (steps().min(), steps().max()) {
                (Some(least), Some(most)) if least < most => Cell {
                    text: format!("{} to {}", thousands(least as f64), thousands(most as f64)),
                    value: Some(most as f64),
                },
                (Some(steps), _) => Cell::count(steps),
                _ => Cell::text("–"),
            });
        }
        row.extend(others);
        row
    }
}
