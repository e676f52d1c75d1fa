//! Lists as they come: the entries of one array in a JSON object, read piece by piece.
//!
//! A repository may have a million tags, and some registries send them all in one body. So a list
//! is never held: its text is fed to a [`ListReader`] in whatever pieces it arrives, and each entry
//! is handed out when it is complete. What is not JSON (RFC 8259) is refused, wherever it stands.

mod utf8;

use utf8::Utf8;

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// The longest entry, in bytes. A descriptor may repeat the annotations of its manifest, which has
/// up to 4 MiB.
const MAX_ENTRY: usize = 5 << 20;

/// The longest key that is compared, in bytes as it is written: escaped, a letter takes six.
const MAX_KEY: usize = 128;

/// Reads the entries of one array, the member of an object, from text that comes in pieces.
#[derive(Debug)]
pub struct ListReader {
    member: &'static str,
    state: State,
    /// The objects and arrays around the place that is read, from outside in.
    open: Vec<Container>,
    /// The key that is read, if it is one of the outermost object.
    key: Vec<u8>,
    /// The entry that is read.
    entry: Vec<u8>,
    place: Place,
    is_found: bool,
    is_list: bool,
    utf8: Utf8,
    /// Bytes so far.
    at: u64,
}

/// Why a text is no such list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidList {
    /// The grammar of JSON is broken, or the text is not UTF-8.
    #[error("it is not JSON at byte {0}")]
    Json(u64),
    /// It stops before the outermost object is closed.
    #[error("it ends in the middle")]
    Unfinished,
    /// Brackets in brackets.
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// One entry is larger than any that is real.
    #[error("an entry is longer than {MAX_ENTRY} bytes")]
    TooLong,
    /// The member is there and is neither an array nor `null`.
    #[error("`{0}` is not a list")]
    NotAList(&'static str),
    /// Some readers would take the first and some the last.
    #[error("`{0}` stands there twice")]
    Twice(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

/// What the place that is read means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing that counts.
    Elsewhere,
    /// After the key of the list, before its value.
    BeforeList,
    /// In the list, between entries.
    List,
    /// In an entry of the list.
    Entry,
}

/// What may come next.
#[derive(Debug, Clone, Copy)]
enum State {
    Value,
    /// A value, or the end of an array that is empty.
    FirstValue,
    Key,
    /// A key, or the end of an object that is empty.
    FirstKey,
    Colon,
    /// A comma, or the end of what is open.
    Next,
    /// Inside a string, which may be a key.
    Text(Text, Role),
    Number(Number),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    /// Nothing but white space.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Key,
    Value,
}

#[derive(Debug, Clone, Copy)]
enum Text {
    Plain,
    Escape,
    /// So many digits of `\uXXXX` are missing.
    Hex(u8),
}

/// Which part of a number was read last.
#[derive(Debug, Clone, Copy)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl ListReader {
    /// A reader of the array that the outermost object has as `member`.
    #[must_use]
    pub fn new(member: &'static str) -> Self {
        Self {
            member,
            state: State::Value,
            open: Vec::new(),
            key: Vec::new(),
            entry: Vec::new(),
            place: Place::Elsewhere,
            is_found: false,
            is_list: false,
            utf8: Utf8::default(),
            at: 0,
        }
    }

    /// Reads the next piece, and hands out each entry that it completes: a JSON value as it is
    /// written.
    ///
    /// # Errors
    /// The text is no list, whatever follows. The reader is of no use then.
    pub fn feed(&mut self, piece: &[u8], mut entry: impl FnMut(&[u8])) -> Result<(), InvalidList> {
        let Err(broken) = self.utf8.goes_on(piece) else { return self.read(piece, &mut entry) };
        // What is wrong before that is said first, in whatever pieces it came.
        self.read(piece.get(..broken.before).unwrap_or_default(), &mut entry)?;
        Err(InvalidList::Json(self.at - broken.begun as u64))
    }

    /// Ends the list; whether the array was there. A member that is `null`, or none, is no array.
    ///
    /// # Errors
    /// The text ended too early.
    pub fn finish(self) -> Result<bool, InvalidList> {
        match self.state {
            State::End => Ok(self.is_list),
            _ => Err(InvalidList::Unfinished),
        }
    }

    fn read(&mut self, piece: &[u8], entry: &mut impl FnMut(&[u8])) -> Result<(), InvalidList> {
        let mut rest = piece;
        loop {
            if let State::Text(Text::Plain, role) = self.state {
                let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
                let plain = rest.iter().position(ends).unwrap_or(rest.len());
                let (run, tail) = rest.split_at(plain);
                self.keep(run, role)?;
                self.at += run.len() as u64;
                rest = tail;
            }
            let Some((&byte, tail)) = rest.split_first() else { return Ok(()) };
            self.step(byte, entry)?;
            self.at += 1;
            rest = tail;
        }
    }

    fn step(&mut self, byte: u8, entry: &mut impl FnMut(&[u8])) -> Result<(), InvalidList> {
        if let State::Number(number) = self.state {
            match number.then(byte) {
                Some(next) => {
                    self.state = State::Number(next);
                    return self.keep(&[byte], Role::Value);
                }
                None if number.may_end() => self.value_ends(entry),
                None => return Err(self.wrong()),
            }
        }
        match (self.state, byte) {
            (State::Text(text, role), _) => self.text(text, role, byte, entry),
            (State::Word(rest), _) => match rest.split_first() {
                Some((&expected, rest)) if expected == byte => {
                    self.keep(&[byte], Role::Value)?;
                    self.state = State::Word(rest);
                    if rest.is_empty() {
                        self.value_ends(entry);
                    }
                    Ok(())
                }
                _ => Err(self.wrong()),
            },
            (_, b' ' | b'\t' | b'\n' | b'\r') => self.keep(&[byte], Role::Value),
            (State::FirstValue, b']') => self.close(Container::Array, entry),
            (State::FirstKey, b'}') => self.close(Container::Object, entry),
            (State::Value | State::FirstValue, _) => self.value_begins(byte),
            (State::Key | State::FirstKey, b'"') => {
                self.key.clear();
                self.state = State::Text(Text::Plain, Role::Key);
                self.keep(&[byte], Role::Key)
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                self.keep(&[byte], Role::Value)
            }
            (State::Next, b',') => {
                self.state = match self.open.last() {
                    Some(Container::Object) => State::Key,
                    _ => State::Value,
                };
                self.keep(&[byte], Role::Value)
            }
            (State::Next, b']') => self.close(Container::Array, entry),
            (State::Next, b'}') => self.close(Container::Object, entry),
            _ => Err(self.wrong()),
        }
    }

    fn text(
        &mut self,
        text: Text,
        role: Role,
        byte: u8,
        entry: &mut impl FnMut(&[u8]),
    ) -> Result<(), InvalidList> {
        let next = match (text, byte) {
            (Text::Plain, b'"') => {
                self.keep(&[byte], role)?;
                return match role {
                    Role::Key => self.key_ends(),
                    Role::Value => {
                        self.value_ends(entry);
                        Ok(())
                    }
                };
            }
            (Text::Plain, b'\\') => Text::Escape,
            (Text::Plain, 0..=0x1f) => return Err(self.wrong()),
            (Text::Plain, _) => Text::Plain,
            (Text::Escape, b'u') => Text::Hex(4),
            (Text::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Text::Plain,
            (Text::Hex(1), _) if byte.is_ascii_hexdigit() => Text::Plain,
            (Text::Hex(left), _) if byte.is_ascii_hexdigit() => Text::Hex(left - 1),
            (Text::Escape | Text::Hex(_), _) => return Err(self.wrong()),
        };
        self.state = State::Text(next, role);
        self.keep(&[byte], role)
    }

    fn value_begins(&mut self, byte: u8) -> Result<(), InvalidList> {
        self.state = match byte {
            b'{' => State::FirstKey,
            b'[' => State::FirstValue,
            b'"' => State::Text(Text::Plain, Role::Value),
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Integer),
            _ => return Err(self.wrong()),
        };
        if self.open.is_empty() && byte != b'{' {
            return Err(self.wrong());
        }
        match self.place {
            Place::BeforeList if byte == b'[' => {
                self.place = Place::List;
                self.is_list = true;
            }
            Place::BeforeList if byte == b'n' => self.place = Place::Elsewhere,
            Place::BeforeList => return Err(InvalidList::NotAList(self.member)),
            Place::List => {
                self.place = Place::Entry;
                self.entry.clear();
            }
            Place::Elsewhere | Place::Entry => {}
        }
        match byte {
            b'{' | b'[' if self.open.len() == MAX_DEPTH => return Err(InvalidList::TooDeep),
            b'{' => self.open.push(Container::Object),
            b'[' => self.open.push(Container::Array),
            _ => {}
        }
        self.keep(&[byte], Role::Value)
    }

    fn close(&mut self, what: Container, entry: &mut impl FnMut(&[u8])) -> Result<(), InvalidList> {
        if self.open.pop() != Some(what) {
            return Err(self.wrong());
        }
        let byte = if what == Container::Array { b']' } else { b'}' };
        if self.place == Place::List {
            self.place = Place::Elsewhere;
        }
        self.keep(&[byte], Role::Value)?;
        self.value_ends(entry);
        Ok(())
    }

    fn value_ends(&mut self, entry: &mut impl FnMut(&[u8])) {
        // The outermost object and the list are open where an entry ends.
        if self.place == Place::Entry && self.open.len() == 2 {
            entry(&self.entry);
            self.place = Place::List;
        }
        self.state = if self.open.is_empty() { State::End } else { State::Next };
    }

    fn key_ends(&mut self) -> Result<(), InvalidList> {
        self.state = State::Colon;
        if self.open.len() > 1 || self.key.len() > MAX_KEY {
            return Ok(());
        }
        let key: String = serde_json::from_slice(&self.key).map_err(|_| self.wrong())?;
        if key != self.member {
            return Ok(());
        }
        if self.is_found {
            return Err(InvalidList::Twice(self.member));
        }
        self.is_found = true;
        self.place = Place::BeforeList;
        Ok(())
    }

    /// Holds what is needed later: an entry, or as much of a key as can be told from others.
    fn keep(&mut self, bytes: &[u8], role: Role) -> Result<(), InvalidList> {
        if self.place == Place::Entry {
            if self.entry.len() + bytes.len() > MAX_ENTRY {
                return Err(InvalidList::TooLong);
            }
            self.entry.extend_from_slice(bytes);
        } else if role == Role::Key && self.open.len() == 1 {
            let room = (MAX_KEY + 1).saturating_sub(self.key.len());
            self.key.extend(bytes.iter().take(room));
        }
        Ok(())
    }

    fn wrong(&self) -> InvalidList {
        InvalidList::Json(self.at)
    }
}

impl Number {
    /// What the next byte makes of it; nothing if it is no part of it.
    fn then(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::E),
            (Self::E, b'+' | b'-') => Some(Self::Sign),
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Some(Self::Exponent),
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Exponent)
    }
}

#[cfg(test)]
mod tests;
