//! What is to be seen of a world: a [`scene::Scene`] is plain data, a [`picture::Picture`] shows one. The terminal, the page and
//! the package for Python draw nothing else. Looking changes nothing.

pub mod colour;
pub mod picture;
pub mod scene;
