mod authority;
mod decisions;
mod elsewhere;
mod form;
mod lifecycle;
mod scene;
