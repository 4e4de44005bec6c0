//! A world to look at: scenes, and the terminal and the pictures that show them.

pub mod colour;
pub mod picture;
pub mod scene;
pub mod show;
pub mod terminal;
