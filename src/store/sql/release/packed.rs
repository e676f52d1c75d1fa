//! Lists and documents of strangers as the state keeps them: JSON, compressed. Whatever is unpacked is
//! bounded.

use std::io::Read as _;

use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::super::{StoreError, failed};
use super::super::row::damaged;

/// Of the JSON: several times the longest report that is read.
const MOST: u64 = 256 << 20;

/// Packs something. Reports are repetitive: a tenth remains, even of the fastest level.
pub(super) fn pack<T: Serialize + ?Sized>(
    what: &'static str,
    value: &T,
) -> Result<Vec<u8>, StoreError> {
    pack_within(what, value, MOST)
}

fn pack_within<T: Serialize + ?Sized>(
    what: &'static str,
    value: &T,
    most: u64,
) -> Result<Vec<u8>, StoreError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut encoder, value).map_err(|error| failed(what, error))?;
    if encoder.total_in() > most {
        return Err(failed(what, format!("it takes more than {most} bytes")));
    }
    encoder.finish().map_err(|error| failed(what, error))
}

/// Unpacks what a column holds.
pub(super) fn unpack<T: DeserializeOwned>(column: &str, bytes: &[u8]) -> Result<T, StoreError> {
    unpack_within(column, bytes, MOST)
}

fn unpack_within<T: DeserializeOwned>(
    column: &str,
    bytes: &[u8],
    most: u64,
) -> Result<T, StoreError> {
    let mut json = Vec::new();
    let mut unpacked = ZlibDecoder::new(bytes).take(most);
    unpacked.read_to_end(&mut json).map_err(|error| damaged(column, &error))?;
    serde_json::from_slice(&json).map_err(|error| damaged(column, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_bound_is_packed_or_unpacked() {
        let text = " ".repeat(100_000);
        let packed = pack_within("try", &text, 100_002).unwrap();
        assert!(packed.len() < 1000);
        assert_eq!(unpack_within::<String>("text", &packed, 100_002).unwrap(), text);
        let error = unpack_within::<String>("text", &packed, 100_001).unwrap_err();
        assert!(
            matches!(&error, StoreError::Damaged(told) if told.contains("`text`")),
            "{error:?}"
        );
        assert!(pack_within("try", &"\0".repeat(100_000), 100_002).is_err());
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let list: Vec<u32> = (0..200).collect();
        let packed = pack("try", &list).unwrap();
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 1;
            // Some bits mean nothing; nothing else comes out in any case.
            if let Ok(unpacked) = unpack::<Vec<u32>>("list", &changed) {
                assert_eq!(unpacked, list);
            }
            assert!(unpack::<Vec<u32>>("list", &packed[..at]).is_err());
        }
    }
}
