//! Tokens added to a model's vocabulary: found in a text as they are written, before anything else is done to it. As the
//! tokenizers crate's `AddedVocabulary` does it, without the automaton and the regular expressions that one needs.

use std::ops::Range as Span;

use tokenizers::normalizer::Range;
use tokenizers::{AddedToken, NormalizedString, Normalizer, PreTokenizedString, Token};

use super::model::TokenModel;
use super::normalizer::Normalizing;
use super::pattern;
use super::work::{Spent, StepBudget};
use crate::{Error, Result};

/// What it costs to compare one more byte with all of them.
const A_LOOK: u64 = 4;
/// Longest added token, as it is written and as the rules make it.
const MAX_TOKEN: usize = 4096;

/// Texts to find, sorted, each with the place of its token.
struct Texts(Vec<(Box<str>, usize)>);

impl Texts {
    fn new(mut texts: Vec<(Box<str>, usize)>) -> Result<Self> {
        texts.sort_unstable();
        let twice = texts.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| &pair[0].0);
        match twice.or(texts.first().map(|(text, _)| text).filter(|text| text.is_empty())) {
            Some(text) => Err(Error::corrupt(format!("tokenizer: added tokens: {text:?} is no text of one token"))),
            None => Ok(Self(texts)),
        }
    }

    /// The longest of them that `rest` begins with and that may be found there, and its token's place.
    fn longest(
        &self,
        rest: &[u8],
        work: &StepBudget,
        may_be: impl Fn(usize, usize) -> bool,
    ) -> Result<Option<(usize, usize)>, Spent> {
        let (mut those, mut longest) = (&self.0[..], None);
        for (at, &byte) in rest.iter().enumerate() {
            work.pay(A_LOOK)?;
            // Those with the same bytes so far: a whole one stands first, and by their next bytes they are in order.
            let next = |text: &(Box<str>, usize)| text.0.as_bytes().get(at).copied();
            those = &those[those.partition_point(|text| next(text) < Some(byte))..];
            those = &those[..those.partition_point(|text| next(text) == Some(byte))];
            match those.first() {
                Some((text, place)) if text.len() == at + 1 && may_be(text.len(), *place) => {
                    longest = Some((text.len(), *place));
                }
                Some(_) => {}
                None => break,
            }
        }
        Ok(longest)
    }
}

/// Whether a token that stands in a text, at these of its bytes, is to be left as text.
pub(crate) type IsText<'a> = dyn Fn(&AddedToken, Span<usize>) -> bool + 'a;

/// The added tokens of a tokenizer.
pub(crate) struct Added {
    tokens: Vec<(AddedToken, u32)>,
    /// Those found in the text as it is, and those found in what the rules have made of it, in which they are themselves
    /// as the rules make them.
    plain: Texts,
    normalized: Texts,
}

impl Added {
    /// Each token with the id it has to get. Error: the model gives it another, or two have the same text.
    pub fn new(model: &TokenModel, tokens: Vec<(AddedToken, u32)>, rules: &Normalizing) -> Result<Self> {
        let mut next = model.len() as u32;
        // The last of several with one text counts.
        let mut kept: Vec<(AddedToken, u32)> = Vec::with_capacity(tokens.len());
        let mut places = std::collections::HashMap::new();
        for (token, id) in tokens {
            let place = places.get(&token.content).copied();
            let known = place.map(|place: usize| kept[place].1).or_else(|| model.id_of(&token.content));
            let found = known.unwrap_or(next);
            if found != id || token.content.is_empty() {
                let content = &token.content;
                let message = format!("tokenizer: the added token {content:?} has id {id}, but would get {found}");
                return Err(Error::unsupported(message));
            }
            next += u32::from(known.is_none());
            match place {
                Some(place) => kept[place] = (token, id),
                None => {
                    places.insert(token.content.clone(), kept.len());
                    kept.push((token, id));
                }
            }
        }
        let (mut plain, mut normalized) = (Vec::new(), Vec::new());
        for (place, (token, _)) in kept.iter().enumerate() {
            let mut text = NormalizedString::from(token.content.as_str());
            if token.normalized {
                let done = rules.normalize(&mut text);
                done.map_err(|error| Error::unsupported(format!("tokenizer: added tokens: {error}")))?;
            }
            if token.content.len().max(text.len()) > MAX_TOKEN {
                let message = format!("tokenizer: an added token of more than {MAX_TOKEN} bytes");
                return Err(Error::unsupported(message));
            }
            if token.normalized { &mut normalized } else { &mut plain }.push((text.get().into(), place));
        }
        Ok(Self { tokens: kept, plain: Texts::new(plain)?, normalized: Texts::new(normalized)? })
    }

    /// Each with its id.
    pub fn tokens(&self) -> &[(AddedToken, u32)] {
        &self.tokens
    }

    /// A text with its added tokens taken out, less those that are text, and the rest as the rules make it.
    pub fn extract(
        &self,
        text: &str,
        rules: &Normalizing,
        work: &StepBudget,
        is_text: &IsText,
    ) -> tokenizers::Result<PreTokenizedString> {
        let mut parts = PreTokenizedString::from(text);
        parts.split(|_, part| self.split(part, &self.plain, work, is_text))?;
        parts.split(|_, mut part| {
            rules.normalize(&mut part)?;
            self.split(part, &self.normalized, work, is_text)
        })?;
        Ok(parts)
    }

    /// Whether an id is an added token's for which `test` holds.
    pub fn is(&self, id: u32, test: impl Fn(&AddedToken) -> bool) -> bool {
        self.tokens.iter().any(|(token, known)| *known == id && test(token))
    }

    fn split(
        &self,
        text: NormalizedString,
        texts: &Texts,
        work: &StepBudget,
        is_text: &IsText,
    ) -> tokenizers::Result<Vec<(NormalizedString, Option<Vec<Token>>)>> {
        let shift = text.offsets_original().0;
        let may_be = |place: usize, span: Span<usize>| {
            let origin = text.convert_offsets(Range::Normalized(span)).unwrap_or_default();
            !is_text(&self.tokens[place].0, origin.start + shift..origin.end + shift)
        };
        let part = |(id, start, end): (Option<u32>, usize, usize)| {
            let part = text.slice(Range::Normalized(start..end)).ok_or("a token within a character")?;
            let tokens = id.map(|id| vec![Token::new(id, part.get().to_owned(), (0, end - start))]);
            Ok((part, tokens))
        };
        self.find(text.get(), texts, work, may_be)?.into_iter().map(part).collect()
    }

    /// Where the tokens are, and what is between them: all of the text.
    fn find(
        &self,
        text: &str,
        texts: &Texts,
        work: &StepBudget,
        may_be: impl Fn(usize, Span<usize>) -> bool,
    ) -> Result<Vec<(Option<u32>, usize, usize)>, Spent> {
        if text.is_empty() || texts.0.is_empty() {
            return Ok(vec![(None, 0, text.len())]);
        }
        let mut begins = [false; 256];
        texts.0.iter().for_each(|(token, _)| begins[usize::from(token.as_bytes()[0])] = true);
        let (mut parts, mut at, mut done) = (Vec::new(), 0, 0);
        while let Some(&first) = text.as_bytes().get(at) {
            let here = |length: usize, place: usize| may_be(place, at..at + length);
            let found =
                if begins[usize::from(first)] { texts.longest(&text.as_bytes()[at..], work, here)? } else { None };
            let Some((length, place)) = found else {
                at += 1;
                continue;
            };
            let (token, id) = &self.tokens[place];
            let (mut start, mut end) = (at, at + length);
            at = end;
            if token.single_word && !alone(text, start, end) {
                continue;
            }
            if token.lstrip && done < start {
                start = done + text[done..start].trim_end().len();
            }
            if token.rstrip {
                end = text.len() - text[end..].trim_start().len();
            }
            work.pay((end - start) as u64)?;
            // A space can be a token itself, and have gone to the one before it.
            start = start.max(done).min(end);
            if done < start {
                parts.push((None, done, start));
            }
            parts.push((Some(*id), start, end));
            done = end;
        }
        if done < text.len() {
            parts.push((None, done, text.len()));
        }
        Ok(parts)
    }
}

/// Whether no word goes on before or behind.
fn alone(text: &str, start: usize, end: usize) -> bool {
    let goes_on = |c: Option<char>| c.is_some_and(pattern::word_of_unicode);
    !goes_on(text[..start].chars().next_back()) && !goes_on(text[end..].chars().next())
}

#[cfg(test)]
mod tests {
    use tokenizers::models::wordpiece::WordPiece;
    use tokenizers::{AddedToken, AddedVocabulary, OffsetReferential, OffsetType};

    use super::{Added, TokenModel};
    use crate::text::normalizer::{Normalizing, Rule};
    use crate::text::random::Random;
    use crate::text::work::StepBudget;

    #[test]
    fn added_tokens_are_found_as_the_tokenizers_crate_finds_them() {
        let vocabulary = [("a", 0), ("[UNK]", 1)].map(|(text, id)| (text.to_owned(), id));
        let model = WordPiece::builder().vocab(tokenizers::models::bpe::Vocab::from_iter(vocabulary)).build().unwrap();
        let tokens: Vec<(AddedToken, u32)> = [
            AddedToken::from("<s>", true),
            AddedToken::from("<s>>", true),
            AddedToken::from("<l>", true).lstrip(true),
            AddedToken::from("<r>", true).rstrip(true),
            AddedToken::from("<b>", true).lstrip(true).rstrip(true),
            AddedToken::from("one", true).single_word(true),
            AddedToken::from("Two", false),
            AddedToken::from("é", true),
            AddedToken::from("\t\t", false),
        ]
        .into_iter()
        .zip(2..)
        .collect();
        let rules = [Rule::Lowercase];
        let work = StepBudget::of(1 << 20);
        let rules = Normalizing::new(&rules, &work);
        let mut theirs = AddedVocabulary::new();
        theirs.add_tokens(tokens.iter().map(|(token, _)| token.clone()), &model, Some(&rules)).unwrap();
        let ours = Added::new(&TokenModel::WordPiece(model), tokens, &rules).unwrap();
        let pieces =
            ["<s>", "<s>>", "<l>", "<r>", "<b>", "one", "Two", "two", "é", "\t", " ", "x", "<", "日", "1", "."];
        let mut random = Random::new(7);
        for _ in 0..3000 {
            let text: String = (0..12).map(|_| pieces[(random.uniform() * pieces.len() as f64) as usize]).collect();
            let shown = |parts: tokenizers::PreTokenizedString| {
                let splits = parts.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
                let id = |tokens: &Option<Vec<tokenizers::Token>>| tokens.as_ref().map(|tokens| tokens[0].id);
                splits.into_iter().map(|(text, _, tokens)| (text.to_owned(), id(tokens))).collect::<Vec<_>>()
            };
            let expected = shown(theirs.extract_and_normalize(Some(&rules), &text));
            assert_eq!(shown(ours.extract(&text, &rules, &work, &|_, _| false).unwrap()), expected, "{text:?}");
        }
    }
}
