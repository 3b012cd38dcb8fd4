//! What is known of the parts of a block's traces. A part that comes again (a header, a shared value, an empty body) is
//! recognised by its bytes: it is described, searched for secrets and sealed once for the block.

mod hidden;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerver_trace::secret::{Rule, TrigramFilter};
use zerver_trace::{MissingReason, Recorded};

use crate::block::Open;
use crate::format;
use crate::row::Piece;
use crate::seal::Sealer;
use crate::secrets::Secrets;

/// The number of a part.
pub(crate) type Part = u32;

/// The parts of the block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Known {
    rule: Rule,
    by_hash: HashMap<u64, Part, BuildHasherDefault<AsIs>>,
    parts: Vec<Entry>,
    /// What the parts are recognised by, and at the end what is being looked for.
    bytes: Vec<u8>,
    /// The parts of the last trace of each flow, in their order, and how far the next one has come. Mostly the same come
    /// again, and need not be looked for.
    habits: Vec<(usize, Vec<Part>)>,
    habit: usize,
    at: usize,
    /// All secrets of a trace, by the parts that announce them; and what was asked for last.
    sets: HashMap<Vec<Part>, Set>,
    last_set: Option<(Vec<Part>, Set)>,
    /// Never used again, not even in another block.
    next_set: u64,
}

/// The secrets of a trace.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    number: u64,
    secrets: Arc<Secrets>,
}

impl Set {
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

/// What a part is when it has not been seen before.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) what: What,
    /// Whether it is a secret as a whole.
    pub(crate) whole: bool,
    /// What is to be masked in it wherever it comes.
    pub(crate) own: Own,
    /// The secrets that may have been copied to other parts.
    pub(crate) secrets: Secrets,
}

/// What of a part is secret by itself, whatever else there is in its trace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Own {
    Nothing,
    /// These places of the text that it is.
    Spans(Vec<Range<usize>>),
    /// What names within the value say.
    Named,
}

/// What a part holds.
#[derive(Debug)]
pub(crate) enum What {
    Text(String),
    Value(Recorded),
}

#[derive(Debug)]
struct Entry {
    salt: u64,
    /// Where it lies in `bytes`, and how much of that comes before the value in its piece.
    span: Range<usize>,
    before: usize,
    what: What,
    whole: bool,
    own: Own,
    secrets: Option<Arc<Secrets>>,
    /// What is in it, once that is asked for a second time.
    was_asked: bool,
    triples: Option<Box<TrigramFilter>>,
    plain: Option<Piece>,
    /// The last set of which none is in it.
    clear_of: u64,
    /// Its pieces for the traces whose secrets are in it.
    hidden: Vec<(u64, Piece)>,
}

impl Known {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, ..Self::default() }
    }

    pub(crate) const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The part with these bytes, of which the first `before` come before the value in its piece. Parts with another
    /// `salt` are other parts.
    pub(crate) fn part(
        &mut self,
        salt: u64,
        before: &[u8],
        bytes: &[u8],
        fresh: impl FnOnce(&Rule) -> Fresh,
    ) -> Part {
        let at = self.at;
        self.at += 1;
        if let Some(&part) = self.habits.get(self.habit).and_then(|(_, parts)| parts.get(at)) {
            let known = &self.parts[part as usize];
            if known.salt == salt
                && known.before == before.len()
                && self.bytes[known.span.clone()].split_at(known.before) == (before, bytes)
            {
                return part;
            }
        }
        let part = self.find(salt, before, bytes, fresh);
        if let Some((_, parts)) = self.habits.get_mut(self.habit) {
            match parts.get_mut(at) {
                Some(habitual) => *habitual = part,
                None => parts.push(part),
            }
        }
        part
    }

    /// The parts that come now are those of a trace of this flow, wherever that is.
    pub(crate) fn begin(&mut self, flow: usize) {
        self.at = 0;
        self.habit = self.habits.iter().position(|(of, _)| *of == flow).unwrap_or_else(|| {
            self.habits.push((flow, Vec::new()));
            self.habits.len() - 1
        });
    }

    fn find(&mut self, salt: u64, before: &[u8], bytes: &[u8], fresh: impl FnOnce(&Rule) -> Fresh) -> Part {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(before);
        self.bytes.extend_from_slice(bytes);
        let hash = xxh3_64_with_seed(&self.bytes[start..], salt ^ (before.len() as u64) << 48);
        if let Some(&part) = self.by_hash.get(&hash) {
            let known = &self.parts[part as usize];
            if known.salt == salt
                && known.before == before.len()
                && self.bytes[known.span.clone()] == self.bytes[start..]
            {
                self.bytes.truncate(start);
                return part;
            }
        }
        let Fresh { what, whole, own, secrets } = fresh(&self.rule);
        let part = self.parts.len() as Part;
        self.parts.push(Entry {
            salt,
            span: start..self.bytes.len(),
            before: before.len(),
            what,
            whole,
            own,
            secrets: (!secrets.is_empty()).then(|| Arc::new(secrets)),
            was_asked: false,
            triples: None,
            plain: None,
            clear_of: 0,
            hidden: Vec::new(),
        });
        self.by_hash.insert(hash, part);
        part
    }

    /// How far the trace has come, to go back to with [`Known::cut`].
    pub(crate) const fn mark(&self) -> usize {
        self.at
    }

    /// Goes back to before a search that did not end. What has been found by then stays.
    pub(crate) fn cut(&mut self, mark: usize) {
        self.at = mark;
        self.bytes.truncate(self.parts.last().map_or(0, |part| part.span.end));
    }

    pub(crate) fn announces(&self, part: Part) -> bool {
        self.parts[part as usize].secrets.is_some()
    }

    /// The secrets of a trace with these parts that announce some, and with `more`.
    pub(crate) fn set(&mut self, parts: &[Part], more: Secrets) -> Option<Set> {
        if parts.is_empty() && more.is_empty() {
            return None;
        }
        if more.is_empty() {
            if let Some((last, set)) = &self.last_set
                && last == parts
            {
                return Some(set.clone());
            }
            if let Some(set) = self.sets.get(parts) {
                self.last_set = Some((parts.to_vec(), set.clone()));
                return Some(set.clone());
            }
        }
        self.next_set += 1;
        let secrets = match parts {
            [part] if more.is_empty() => self.parts[*part as usize].secrets.clone().unwrap_or_default(),
            _ => {
                let mut secrets = Secrets::default();
                for part in parts {
                    if let Some(announced) = &self.parts[*part as usize].secrets {
                        secrets.join(announced);
                    }
                }
                secrets.join(&more);
                Arc::new(secrets)
            }
        };
        let set = Set { number: self.next_set, secrets };
        if more.is_empty() {
            self.sets.insert(parts.to_vec(), set.clone());
        }
        Some(set)
    }

    /// The piece that holds a part in a trace with these secrets.
    pub(crate) fn piece(
        &mut self,
        part: Part,
        set: Option<&Set>,
        sealer: &mut Sealer,
        open: &mut Open,
    ) -> Piece {
        let entry = &mut self.parts[part as usize];
        let number = set.map_or(0, |set| set.number);
        if let Some(plain) = entry.plain
            && (entry.whole || entry.clear_of == number)
        {
            return plain;
        }
        let before = &self.bytes[entry.span.start..entry.span.start + entry.before];
        let set = set.filter(|set| !entry.whole && entry.may_hold(set.secrets()));
        // What is sealed as a whole is the same in every trace.
        let copies = set.filter(|_| !entry.whole);
        let Some(set) = copies else {
            entry.clear_of = number;
            return entry.alone(before, &self.rule, sealer, open);
        };
        if let Some((_, piece)) = entry.hidden.iter().rev().find(|(number, _)| *number == set.number) {
            return *piece;
        }
        let Some(hidden) = entry.hidden(set.secrets(), &self.rule, sealer) else {
            entry.clear_of = number;
            return entry.alone(before, &self.rule, sealer, open);
        };
        let piece = open.piece(|out| entry.what.encode(Some(&hidden), before, out));
        entry.hidden.push((set.number, piece));
        piece
    }

    /// Forgets all, and keeps the memory for the next block.
    pub(crate) fn clear(&mut self) {
        self.by_hash.clear();
        self.parts.clear();
        self.bytes.clear();
        self.habits.clear();
        self.sets.clear();
        self.last_set = None;
    }
}

impl Entry {
    /// Whether it may have one of the secrets in it. Quick, and wrong only by saying yes.
    fn may_hold(&mut self, secrets: &Secrets) -> bool {
        // Most parts are asked once: looking through one costs less than this.
        if !std::mem::replace(&mut self.was_asked, true) {
            return true;
        }
        let what = &self.what;
        let triples = self.triples.get_or_insert_with(|| {
            let mut triples = Box::<TrigramFilter>::default();
            what.for_each_text(|text| triples.insert_all(text));
            triples
        });
        secrets.may_be_in(triples)
    }
}

impl What {
    fn for_each_text(&self, mut f: impl FnMut(&[u8])) {
        match self {
            Self::Text(text) => f(text.as_bytes()),
            Self::Value(Recorded::Plain { value, summary }) => {
                f(value.tokens());
                summary.iter().for_each(|line| f(line.as_bytes()));
            }
            Self::Value(Recorded::Missing(MissingReason::Failed(why))) => f(why.as_bytes()),
            Self::Value(_) => {}
        }
    }

    fn encode(&self, instead: Option<&Self>, before: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(before);
        match instead.unwrap_or(self) {
            Self::Text(text) => format::encode_into(text, out),
            Self::Value(recorded) => format::encode_into(recorded, out),
        }
    }

    /// The whole of it sealed; none for what needs no seal.
    fn sealed(&self, sealer: &mut Sealer) -> Option<Self> {
        match self {
            Self::Value(Recorded::Plain { value, summary }) => {
                Some(Self::Value(sealer.seal(value, summary.as_deref(), None)))
            }
            // What a `Serialize` says of its failure may quote the value.
            Self::Value(Recorded::Missing(MissingReason::Failed(_))) => {
                let why = "it could not be described".to_owned();
                Some(Self::Value(Recorded::Missing(MissingReason::Failed(why))))
            }
            _ => None,
        }
    }
}

/// For keys that are hashes.
#[derive(Debug, Default)]
pub(crate) struct AsIs(pub(crate) u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(eight));
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = self.0.rotate_left(5) ^ n;
    }
}
