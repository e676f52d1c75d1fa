//! Measurements of Portcullis beside its peers; see `benches/`.
