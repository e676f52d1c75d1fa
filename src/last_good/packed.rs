//! The files of a policy as the state keeps them: a list of paths and texts in JSON, compressed.

use std::io::{self, BufReader, Read as _};

use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use policy::SourceFile;

use super::Unusable;
use crate::policy_folder::{MAX_SIZE, Sources};
use crate::store::KeptPolicy;

/// Of the JSON. Line ends and quotes take two bytes in it, and paths are short; whatever claims to
/// be larger was never packed here.
const MAX_UNPACKED: u64 = 4 * MAX_SIZE;

/// Packs files. Policies are repetitive: a tenth remains, even of the fastest level.
pub(super) fn pack(files: &[SourceFile]) -> io::Result<Vec<u8>> {
    let list: Vec<_> = files.iter().map(|file| (&file.path, &file.text)).collect();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut encoder, &list)?;
    encoder.finish()
}

/// Unpacks files that are all there and unchanged.
pub(super) fn unpack(kept: &KeptPolicy) -> Result<Sources, Unusable> {
    unpack_within(kept, MAX_UNPACKED)
}

fn unpack_within(kept: &KeptPolicy, most: u64) -> Result<Sources, Unusable> {
    let text = BufReader::new(ZlibDecoder::new(kept.files.as_slice()).take(most));
    let list: Vec<(String, String)> = serde_json::from_reader(text).map_err(Unusable::Damaged)?;
    let files = list.into_iter().map(|(path, text)| SourceFile { path, text });
    let sources = Sources::new(files.collect());
    if *sources.fingerprint.as_bytes() == kept.sha256 {
        Ok(sources)
    } else {
        Err(Unusable::Changed)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn kept(files: Vec<SourceFile>) -> (Sources, KeptPolicy) {
        let sources = Sources::new(files);
        let kept = KeptPolicy {
            sha256: *sources.fingerprint.as_bytes(),
            loaded_at: Timestamp::UNIX_EPOCH,
            files: pack(&sources.files).unwrap(),
        };
        (sources, kept)
    }

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn no_more_than_the_bound_is_unpacked_however_little_it_was_packed() {
        let (sources, kept) = kept(vec![file("a.yaml", &" ".repeat(100_000))]);
        assert!(kept.files.len() < 1000);
        assert!(matches!(unpack_within(&kept, 100_000), Err(Unusable::Damaged(_))));
        assert_eq!(unpack_within(&kept, 100_100).unwrap(), sources);
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_as_it_was(
            files in prop::collection::vec(("(?s).{0,20}", "(?s).{0,200}"), 0..5),
        ) {
            let (sources, kept) = kept(files.iter().map(|(p, t)| file(p, t)).collect());
            prop_assert_eq!(unpack(&kept).unwrap(), sources);
        }

        #[test]
        fn a_bit_that_flipped_or_an_end_that_is_missing_is_found(
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
            cut in any::<bool>(),
        ) {
            let (sources, mut kept) = kept(vec![file("a.yaml", "rules: []\n"), file("b", "x: y")]);
            let at = at.index(kept.files.len());
            if cut {
                kept.files.truncate(at);
            } else {
                kept.files[at] ^= 1 << bit;
            }
            // Some bits mean nothing; no other files come out in any case.
            if let Ok(unpacked) = unpack(&kept) {
                prop_assert_eq!(unpacked, sources);
            }
        }
    }

    #[test]
    fn other_files_than_the_sum_stands_for_are_refused() {
        let (_, mut kept) = kept(vec![file("a.yaml", "rules: []")]);
        kept.files = pack(&[file("a.yaml", "rules: [] ")]).unwrap();
        assert!(matches!(unpack(&kept), Err(Unusable::Changed)));
    }
}
