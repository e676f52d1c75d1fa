//! What a manifest says, as the state keeps it: some tens of bytes and those of its digests.
//!
//! A byte for the version, one for what holds (index, artifact, has a subject), then the subject,
//! the number of children, these, the number of blobs, these. A digest is one byte for its algorithm
//! and its hash; numbers are LEB128.

use oci::Digest;

use super::Facts;

const VERSION: u8 = 1;

const IS_INDEX: u8 = 1;
const IS_ARTIFACT: u8 = 2;
const HAS_SUBJECT: u8 = 4;

const SHA256: u8 = 1;
const SHA512: u8 = 2;

/// Bytes that no facts were packed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what a manifest says is damaged at byte {at}: {what}")]
pub struct Damaged {
    /// The first byte that is wrong, from 0.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl Facts {
    /// As few bytes.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let digests = self.children.len() + self.blobs.len() + 1;
        let mut packed = Vec::with_capacity(8 + 33 * digests);
        let flag = |holds: bool, flag: u8| if holds { flag } else { 0 };
        packed.push(VERSION);
        packed.push(
            flag(self.is_index, IS_INDEX)
                | flag(self.is_artifact, IS_ARTIFACT)
                | flag(self.subject.is_some(), HAS_SUBJECT),
        );
        if let Some(subject) = &self.subject {
            put_digest(&mut packed, subject);
        }
        for list in [&self.children, &self.blobs] {
            put_number(&mut packed, list.len());
            list.iter().for_each(|digest| put_digest(&mut packed, digest));
        }
        packed
    }

    /// Reads what [`Facts::pack`] wrote.
    ///
    /// # Errors
    /// Names the first byte that is not as it was written.
    pub fn unpack(packed: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader { packed, at: 0 };
        if reader.byte()? != VERSION {
            return Err(Damaged { at: 0, what: "this version is not known" });
        }
        let flags = reader.byte()?;
        if flags & !(IS_INDEX | IS_ARTIFACT | HAS_SUBJECT) != 0 {
            return Err(Damaged { at: 1, what: "there is a flag that is not known" });
        }
        let subject = if flags & HAS_SUBJECT == 0 { None } else { Some(reader.digest()?) };
        let facts = Self {
            is_index: flags & IS_INDEX != 0,
            is_artifact: flags & IS_ARTIFACT != 0,
            subject,
            children: reader.digests()?,
            blobs: reader.digests()?,
        };
        if reader.at == packed.len() { Ok(facts) } else { Err(reader.damaged("it goes on")) }
    }
}

fn put_digest(packed: &mut Vec<u8>, digest: &Digest) {
    packed.push(match digest {
        Digest::Sha256(_) => SHA256,
        Digest::Sha512(_) => SHA512,
    });
    packed.extend_from_slice(digest.as_bytes());
}

fn put_number(packed: &mut Vec<u8>, number: usize) {
    let mut left = number;
    while left >= 0x80 {
        packed.push(low_bits(left) | 0x80);
        left >>= 7;
    }
    packed.push(low_bits(left));
}

/// The lowest seven.
fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or(0)
}

struct Reader<'a> {
    packed: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { at: self.at, what }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let found = self.packed.get(self.at..).and_then(|rest| rest.first_chunk());
        let found = *found.ok_or_else(|| self.damaged("it ends here"))?;
        self.at += N;
        Ok(found)
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        self.take().map(|[byte]| byte)
    }

    fn digest(&mut self) -> Result<Digest, Damaged> {
        let unknown = self.damaged("this algorithm is not known");
        match self.byte()? {
            SHA256 => self.take().map(Digest::Sha256),
            SHA512 => self.take().map(|hash| Digest::Sha512(Box::new(hash))),
            _ => Err(unknown),
        }
    }

    fn digests(&mut self) -> Result<Box<[Digest]>, Damaged> {
        let too_many = self.damaged("it says more digests than there is room for");
        let count = self.number()?;
        // Before anything is made room for.
        if count > self.packed.len() / 33 {
            return Err(too_many);
        }
        (0..count).map(|_| self.digest()).collect()
    }

    fn number(&mut self) -> Result<usize, Damaged> {
        let too_large = self.damaged("it says a number that is too large");
        let mut number = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(too_large)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::samples::{blob, image, index, signature};

    fn digest() -> impl Strategy<Value = Digest> {
        prop_oneof![
            3 => any::<[u8; 32]>().prop_map(Digest::Sha256),
            1 => (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(one, two)| {
                Digest::Sha512(Box::new([one, two].concat().try_into().unwrap()))
            }),
        ]
    }

    fn digests() -> impl Strategy<Value = Box<[Digest]>> {
        prop_oneof![
            4 => prop::collection::vec(digest(), 0..6),
            1 => prop::collection::vec(digest(), 120..200),
        ]
        .prop_map(Vec::into_boxed_slice)
    }

    prop_compose! {
        fn facts()(
            is_index in any::<bool>(),
            is_artifact in any::<bool>(),
            subject in prop::option::of(digest()),
            children in digests(),
            blobs in digests(),
        ) -> Facts {
            Facts { is_index, is_artifact, subject, children, blobs }
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_as_it_was(facts in facts()) {
            prop_assert_eq!(Facts::unpack(&facts.pack()), Ok(facts));
        }

        #[test]
        fn what_is_cut_off_or_goes_on_is_damaged_where_it_ends(
            facts in facts(),
            at in any::<prop::sample::Index>(),
            more in any::<u8>(),
        ) {
            let mut packed = facts.pack();
            let length = packed.len();
            packed.push(more);
            prop_assert_eq!(
                Facts::unpack(&packed),
                Err(Damaged { at: length, what: "it goes on" })
            );
            packed.truncate(at.index(length));
            let damaged = Facts::unpack(&packed).unwrap_err();
            prop_assert!(damaged.at <= packed.len());
        }

        #[test]
        fn any_bytes_are_facts_that_are_packed_alike_or_damaged(
            mut packed in prop::collection::vec(any::<u8>(), 0..200),
            begins_well in any::<bool>(),
        ) {
            if begins_well && packed.len() > 1 {
                packed[0] = VERSION;
                packed[1] &= 7;
            }
            if let Ok(facts) = Facts::unpack(&packed) {
                prop_assert_eq!(Facts::unpack(&facts.pack()), Ok(facts));
            }
        }

        #[test]
        fn a_bit_that_flipped_ends_in_no_panic(
            facts in facts(),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let mut packed = facts.pack();
            let at = at.index(packed.len());
            packed[at] ^= 1 << bit;
            let _ = Facts::unpack(&packed);
        }
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let packed = Facts::from(&signature("s", Some(&blob("x"))).manifest).pack();
        let told = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut packed = packed.clone();
            change(&mut packed);
            Facts::unpack(&packed).unwrap_err().to_string()
        };
        let says = |at, what| format!("what a manifest says is damaged at byte {at}: {what}");
        assert_eq!(told(&|packed| packed[0] = 2), says(0, "this version is not known"));
        assert_eq!(told(&|packed| packed[1] |= 8), says(1, "there is a flag that is not known"));
        assert_eq!(told(&|packed| packed[2] = 0), says(2, "this algorithm is not known"));
        assert_eq!(told(&|packed| packed.truncate(20)), says(3, "it ends here"));
        let room = says(35, "it says more digests than there is room for");
        assert_eq!(told(&|packed| packed[35] = 127), room);
        let large = says(35, "it says a number that is too large");
        assert_eq!(told(&|packed| drop(packed.splice(35..36, [255; 9]))), large);
        assert_eq!(Facts::unpack(&[]).unwrap_err().to_string(), says(0, "it ends here"));
    }

    #[test]
    fn manifests_of_each_kind_come_out_as_they_were() {
        let app = image("config", &["1", "2"]);
        let note = signature("signed", Some(&app.digest));
        for sample in [&index(&[&app]), &app, &note] {
            let facts = Facts::from(&sample.manifest);
            assert_eq!(Facts::unpack(&facts.pack()), Ok(facts));
        }
    }
}
