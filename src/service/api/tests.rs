mod authority;
mod decisions;
mod elsewhere;
mod form;
mod images;
mod lifecycle;
pub(crate) mod scene;
mod size;
mod texts;
