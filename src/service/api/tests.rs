mod authority;
mod elsewhere;
mod form;
mod lifecycle;
mod scene;
