//! How agents are named in the tables of a report.

use crate::read::episodes::Recipe;
use crate::report::Cell;

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
        let mut row = vec![Cell::text(name)];
        if self.trained {
            let words = recipe.and_then(|recipe| recipe.name.as_deref());
            row.push(Cell::text(words.unwrap_or("–")));
            row.push(recipe.map_or_else(|| Cell::text("–"), |recipe| Cell::count(recipe.steps)));
        }
        row.extend(others);
        row
    }
}
