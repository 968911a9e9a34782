//! From the classes of a text's tokens to the things that they name.

use std::ops::Range;

/// A token's class: the likeliest, and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tag {
    pub class: usize,
    pub score: f32,
}

/// A part of a text with a class, in whatever its tokens' places are counted in.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagged {
    pub label: String,
    /// The mean of its tokens'.
    pub score: f32,
    pub place: Range<usize>,
}

/// What a token's label says of where it stands in a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// Another thing begins with it.
    First,
    /// It goes on with the one before, where that is of the same kind.
    Inside,
    /// The same, and nothing goes on after it.
    Last,
    /// All of a thing.
    Alone,
}

/// A classifier's labels.
pub struct Tags {
    labels: Vec<(Stands, String)>,
    plain: Vec<String>,
}

/// What is no thing at all.
const OUTSIDE: &str = "O";

impl Tags {
    /// Labels are `B-` and `I-` with a kind of thing, or kinds alone, whose neighbours belong together; also `E-` and `L-`
    /// for the last token, `S-` and `U-` for the only one, where all labels are of that sort.
    pub fn new(labels: &[String]) -> Self {
        let stands = |label: &str| match label.split_at_checked(2)?.0 {
            "B-" => Some(Stands::First),
            "I-" => Some(Stands::Inside),
            "E-" | "L-" => Some(Stands::Last),
            "S-" | "U-" => Some(Stands::Alone),
            _ => None,
        };
        let all = labels.iter().all(|label| label == OUTSIDE || stands(label).is_some());
        let label = |label: &String| match stands(label) {
            Some(stands) if all || matches!(stands, Stands::First | Stands::Inside) => (stands, label[2..].to_owned()),
            _ => (Stands::Inside, label.clone()),
        };
        Self { labels: labels.iter().map(label).collect(), plain: labels.to_vec() }
    }

    /// The likeliest class of logits, the first of equal ones. `None`: one of them is no number.
    pub fn best(logits: &[f32]) -> Option<Tag> {
        let (mut class, mut largest, mut total) = (0, f32::NEG_INFINITY, 0.0);
        for (at, logit) in logits.iter().enumerate() {
            if logit.is_nan() {
                return None;
            }
            if *logit > largest {
                (class, largest) = (at, *logit);
            }
        }
        logits.iter().for_each(|logit| total += (logit - largest).exp());
        Some(Tag { class, score: 1.0 / total })
    }

    /// Each token that is of a thing, for itself.
    pub fn singles(&self, tokens: &[(Tag, Range<usize>)]) -> Vec<Tagged> {
        let tokens = tokens.iter().filter(|(tag, place)| self.plain[tag.class] != OUTSIDE && !place.is_empty());
        let tagged = |(tag, place): &(Tag, Range<usize>)| Tagged {
            label: self.plain[tag.class].clone(),
            score: tag.score,
            place: place.clone(),
        };
        tokens.map(tagged).collect()
    }

    /// The things, each of all its tokens: transformers' strategy "simple".
    pub fn merged(&self, tokens: &[(Tag, Range<usize>)]) -> Vec<Tagged> {
        let mut things = Vec::new();
        let joins = |(before, _): &(Tag, Range<usize>), (tag, _): &(Tag, Range<usize>)| {
            let ((ended, kind), (stands, next)) = (&self.labels[before.class], &self.labels[tag.class]);
            let goes_on = matches!(ended, Stands::First | Stands::Inside);
            goes_on && matches!(stands, Stands::Inside | Stands::Last) && kind == next
        };
        for thing in tokens.chunk_by(joins) {
            let (first, last) = (&thing[0], &thing[thing.len() - 1]);
            let label = &self.labels[first.0.class].1;
            let place = first.1.start..last.1.end;
            if label == OUTSIDE || place.is_empty() {
                continue;
            }
            let sum: f64 = thing.iter().map(|(tag, _)| f64::from(tag.score)).sum();
            things.push(Tagged { label: label.clone(), score: (sum / thing.len() as f64) as f32, place });
        }
        things
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What labels of tokens of one unit each come to, by label and place.
    fn merged(labels: &[&str], tokens: &[&str]) -> Vec<(String, Range<usize>)> {
        let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
        let class = |label: &&str| labels.iter().position(|known| known == label).unwrap();
        let tokens: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(at, token)| (Tag { class: class(token), score: 1.0 }, at..at + 1))
            .collect();
        Tags::new(&labels).merged(&tokens).into_iter().map(|thing| (thing.label, thing.place)).collect()
    }

    fn of(list: &[(&str, Range<usize>)]) -> Vec<(String, Range<usize>)> {
        list.iter().map(|(label, place)| (label.to_string(), place.clone())).collect()
    }

    #[test]
    fn neighbours_of_one_kind_are_one_thing_unless_another_begins() {
        let labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"];
        let tokens = ["I-PER", "I-PER", "O", "B-PER", "I-PER", "B-PER", "I-LOC", "I-LOC", "B-LOC"];
        let things = [("PER", 0..2), ("PER", 3..5), ("PER", 5..6), ("LOC", 6..8), ("LOC", 8..9)];
        assert_eq!(merged(&labels, &tokens), of(&things));
        assert_eq!(merged(&["O", "name"], &["name", "name", "O", "name"]), of(&[("name", 0..2), ("name", 3..4)]));
    }

    #[test]
    fn last_and_only_tokens_end_a_thing_where_all_labels_say_so() {
        let labels = ["O", "B-x", "I-x", "E-x", "S-x"];
        let tokens = ["B-x", "I-x", "E-x", "I-x", "S-x", "S-x", "B-x", "O"];
        assert_eq!(merged(&labels, &tokens), of(&[("x", 0..3), ("x", 3..4), ("x", 4..5), ("x", 5..6), ("x", 6..7)]));
        // A kind of thing that happens to be written so.
        assert_eq!(merged(&["O", "E-mail", "phone"], &["E-mail", "E-mail"]), of(&[("E-mail", 0..2)]));
    }

    #[test]
    fn a_thing_has_the_mean_of_its_tokens_scores_and_single_tokens_their_own_labels() {
        let tags = Tags::new(&["O".to_owned(), "B-x".to_owned(), "I-x".to_owned()]);
        let tokens = [
            (Tag { class: 1, score: 0.5 }, 0..3),
            (Tag { class: 2, score: 1.0 }, 3..5),
            (Tag { class: 0, score: 0.9 }, 6..7),
            (Tag { class: 2, score: 0.9 }, 7..7),
        ];
        let tagged = |label: &str, score: f32, place: Range<usize>| Tagged { label: label.to_owned(), score, place };
        assert_eq!(tags.merged(&tokens), [tagged("x", 0.75, 0..5)]);
        assert_eq!(tags.singles(&tokens), [tagged("B-x", 0.5, 0..3), tagged("I-x", 1.0, 3..5)]);
    }

    #[test]
    fn the_likeliest_class_is_the_first_of_equal_ones() {
        let best = Tags::best(&[0.0, 2.0, 2.0, -1.0]).unwrap();
        assert_eq!(best.class, 1);
        assert!((best.score - 0.458).abs() < 1e-3, "{}", best.score);
        assert_eq!(Tags::best(&[0.0, f32::NAN]), None);
    }
}
