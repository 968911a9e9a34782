//! Sequences as bytes: a conversation that goes on after a reload, on this device or another.
//!
//! Little-endian: `MAGIC`, then as u32 the format's version, the cache's type, how many tokens, how many there were known to
//! be at most (see [`Model::turning_point`]), how many groups of layers; as u64 the model and how many bytes follow the
//! tokens; each group's first page and the tokens as u32; what [`Device::save`] gives; the [`Checksum`] of all that. What
//! comes behind it is passed over.

use super::checksum::Checksum;
use super::decoder::Model;
use super::session::Session;
use crate::device::{CacheType, Device, PAGE, Table};
use crate::error::{Error, Result, try_vec};

const MAGIC: &[u8; 8] = b"azulejo\n";
const VERSION: u32 = 1;
/// Before the groups' pages.
const HEAD: usize = 8 + 5 * 4 + 2 * 8;

/// The parts of a saved sequence, in their order: apart, since the second is large.
pub struct SavedSession {
    head: Vec<u8>,
    state: Vec<u8>,
    checksum: [u8; 8],
}

impl SavedSession {
    pub fn parts(&self) -> [&[u8]; 3] {
        [&self.head, &self.state, &self.checksum]
    }
}

/// What stands before the state.
struct Head<'a> {
    cache: u32,
    longest: usize,
    model: u64,
    first: Vec<usize>,
    tokens: Vec<u32>,
    state: &'a [u8],
}

fn number(ty: CacheType) -> u32 {
    match ty {
        CacheType::F32 => 0,
        CacheType::F16 => 1,
        CacheType::Q8 => 2,
    }
}

fn broken(why: &str) -> Error {
    Error::corrupt(format!("a saved session that is broken: {why}"))
}

impl<'a> Head<'a> {
    /// Reads what was saved, if all of it is there.
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err(Error::corrupt("this is no saved session"));
        };
        let word = |at: usize| Some(u32::from_le_bytes(*rest.get(4 * at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_le_bytes(*rest.get(4 * at..)?.first_chunk()?));
        let short = || broken("it ends too early");
        match word(0).ok_or_else(short)? {
            VERSION => {}
            other => {
                return Err(Error::unsupported(format!(
                    "a saved session of version {other}, this version of azulejo reads {VERSION}"
                )));
            }
        }
        let count = |at: usize| word(at).map(|count| count as usize).ok_or_else(short);
        let (tokens, longest, groups) = (count(2)?, count(3)?, count(4)?);
        let state = long(7).and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(short)?;
        let start = tokens.checked_add(groups).and_then(|words| words.checked_mul(4)?.checked_add(HEAD));
        let end = start.and_then(|start| start.checked_add(state)).ok_or_else(short)?;
        let checksum = bytes.get(end..).and_then(|rest| rest.first_chunk()).ok_or_else(short)?;
        if Checksum::of(&bytes[..end]).to_le_bytes() != *checksum {
            return Err(broken("its checksum is another"));
        }
        let words = bytes[HEAD..].as_chunks().0;
        let words = |from: usize, len: usize| words[from..][..len].iter().map(|word| u32::from_le_bytes(*word));
        Ok(Self {
            cache: word(1).ok_or_else(short)?,
            longest,
            model: long(5).ok_or_else(short)?,
            first: words(0, groups).map(|page| page as usize).collect(),
            tokens: words(groups, tokens).collect(),
            state: &bytes[end - state..end],
        })
    }
}

impl SavedSession {
    /// Of a session and what [`Device::save`] gave of it. Error: out-of-memory.
    fn new(session: &Session, ty: CacheType, model: u64, state: Vec<u8>) -> Result<Self> {
        let (table, tokens) = (&session.table, session.sure_tokens());
        let groups = table.groups();
        let mut head = try_vec(HEAD + 4 * (groups + tokens.len()), "a session that is saved")?;
        head.clear();
        head.extend_from_slice(MAGIC);
        let mut word = |word: u32| head.extend_from_slice(&word.to_le_bytes());
        [VERSION, number(ty)].into_iter().for_each(&mut word);
        [tokens.len(), session.longest(), groups].into_iter().for_each(|count| word(count as u32));
        [model, state.len() as u64].into_iter().flat_map(|long| [long as u32, (long >> 32) as u32]).for_each(&mut word);
        (0..groups).for_each(|group| word(table.pages(group).0 as u32));
        tokens.iter().copied().for_each(word);
        let checksum = Checksum::default().with(&head).with(&state).finish().to_le_bytes();
        Ok(Self { head, state, checksum })
    }
}

impl Head<'_> {
    /// Whether it is of this model, with that type of cache; its tokens are looked at elsewhere.
    fn check(&self, model: u64, ty: CacheType) -> Result<()> {
        if self.model != model {
            let message = "a session that another model has saved, or this one with other weights or settings";
            return Err(Error::invalid(message));
        }
        if self.cache != number(ty) {
            return Err(Error::invalid("a session that was saved with another kvCacheType"));
        }
        if self.first.iter().any(|page| *page > self.tokens.len() / PAGE) {
            return Err(broken("it has pages behind its end"));
        }
        Ok(())
    }
}

impl<D: Device> Model<D> {
    /// A sequence as bytes, of the tokens that are there beyond doubt. `model`: what only this model has.
    /// Errors: out-of-memory, device-lost.
    pub async fn save(&mut self, session: &Session, model: u64) -> Result<SavedSession> {
        let state = self.device.save(&self.pool.state, &session.table, session.sure_tokens().len()).await?;
        SavedSession::new(session, self.pool.ty, model, state)
    }

    /// The sequence that [`Model::save`] gave as bytes, by this model on whatever device.
    /// Errors: corrupt-file, unsupported-model for another format, invalid-argument for another model or type of cache,
    /// context-full, out-of-memory, device-lost.
    pub async fn restore(&mut self, bytes: &[u8], model: u64) -> Result<Session> {
        let Head { first, tokens, longest, state, .. } = self.readable(bytes, model)?;
        if tokens.is_empty() {
            return Ok(Session::default());
        }
        let mut table = Table::default();
        self.pool.leave_out(&mut table, &first)?;
        self.pool.reserve(&mut self.device, &mut table, 0..tokens.len(), self.context).await?;
        if !table.can_cut_to(tokens.len()) {
            return Err(broken("pages are missing"));
        }
        self.device.restore(&mut self.pool.state, &table, tokens.len(), state)?;
        self.device.sync().await?;
        Ok(Session::restored(table, tokens, longest))
    }

    /// What can be restored, as far as its head tells.
    fn readable<'a>(&self, bytes: &'a [u8], model: u64) -> Result<Head<'a>> {
        let head = Head::read(bytes)?;
        head.check(model, self.pool.ty)?;
        if !head.tokens.is_empty() {
            self.check_tokens(&head.tokens)?;
        }
        Ok(head)
    }
}
