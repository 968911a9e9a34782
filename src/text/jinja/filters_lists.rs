//! Filters of lists and maps.

use std::cmp::Ordering;
use std::rc::Rc;

use super::args::{Args, needed};
use super::arithmetic;
use super::ast::Operator;
use super::filters_text as texts;
use super::render::Renderer;
use super::sort::order;
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Kind, Value};

impl Renderer<'_> {
    pub fn list_filter(&mut self, name: &str, of: Value, args: Args) -> RunResult<Value> {
        match name {
            "map" => return self.map_filter(of, args),
            "select" | "reject" | "selectattr" | "rejectattr" => return self.select(name, &of, args),
            "sort" | "unique" | "min" | "max" => return self.ordered(name, &of, args),
            "join" => return self.join(&of, args),
            "sum" => return self.sum(&of, args),
            "dictsort" => return self.dict_sort(&of, args),
            "groupby" => return self.group_by(&of, args),
            "batch" | "slice" => return self.pieces(name, &of, args),
            _ => {}
        }
        args.take::<0>(name, [])?;
        match name {
            "length" | "count" => of.length().map(|length| Value::Int(length as i64)),
            "list" => Value::list(Kind::List, of.items(&self.budget)?, &self.budget),
            "items" if matches!(of, Value::Undefined(_)) => Value::list(Kind::Generator, Vec::new(), &self.budget),
            "items" => {
                let items = self.map_view(&of, name)?.items(&self.budget)?;
                Value::list(Kind::Generator, items, &self.budget)
            }
            "reverse" => self.reverse(&of),
            "last" if matches!(&of, Value::List(list) if list.kind == Kind::Generator) => {
                Err(Stop::new("'generator' object is not reversible"))
            }
            _ => {
                let items = of.items(&self.budget)?;
                let found = if name == "first" { items.first() } else { items.last() };
                let missing = || Value::Undefined(format!("No {name} item, sequence was empty.").into());
                Ok(found.cloned().unwrap_or_else(missing))
            }
        }
    }

    fn reverse(&mut self, of: &Value) -> RunResult<Value> {
        if let Value::Text(text) = of {
            let chars: Vec<(char, bool)> = text.marked_chars().collect();
            let mut out = Writer::new(&self.budget);
            chars.into_iter().rev().try_for_each(|(c, given)| out.push_char(c, given))?;
            return Ok(Value::Text(Rc::new(out.finish())));
        }
        let mut items = of.items(&self.budget)?;
        items.reverse();
        Value::list(Kind::Generator, items, &self.budget)
    }

    /// An attribute as filters take it: "address.city", or a place.
    fn part(&mut self, of: &Value, path: &Value) -> RunResult<Value> {
        let Value::Text(path) = path else { return self.item(of, path) };
        let mut found = of.clone();
        for part in path.as_str().split('.') {
            let key = match part.parse::<i64>() {
                Ok(place) if part.bytes().all(|byte| byte.is_ascii_digit()) => Value::Int(place),
                _ => Value::text(part, &self.budget)?,
            };
            found = self.item(&found, &key)?;
        }
        Ok(found)
    }

    fn map_filter(&mut self, of: Value, mut args: Args) -> RunResult<Value> {
        // What is false is not gone through at all.
        let items = if of.is_true() { of.items(&self.budget)? } else { Vec::new() };
        let mut mapped = Vec::with_capacity(items.len());
        let attribute = args.named.iter().position(|(name, _)| &**name == "attribute");
        if let Some(at) = attribute.filter(|_| args.positional.is_empty()) {
            let (_, path) = args.named.remove(at);
            let [default] = args.take("map", ["default"])?;
            for item in items {
                let found = self.part(&item, &path)?;
                mapped.push(match &default {
                    Some(default) if matches!(found, Value::Undefined(_)) => default.clone(),
                    _ => found,
                });
            }
        } else {
            if args.positional.is_empty() {
                return Err(Stop::new("map requires a filter argument"));
            }
            let name = args.positional.remove(0);
            let name = name.expect_text("the filter's name")?.as_str().to_owned();
            for item in items {
                let args = Args { positional: args.positional.clone(), named: args.named.clone() };
                mapped.push(self.filter(&name, item, args)?);
            }
        }
        Value::list(Kind::Generator, mapped, &self.budget)
    }

    fn select(&mut self, name: &str, of: &Value, mut args: Args) -> RunResult<Value> {
        let of_attribute = name.ends_with("attr");
        let mut first = || (!args.positional.is_empty()).then(|| args.positional.remove(0));
        let path = if of_attribute { Some(needed(first(), name, "attribute")?) } else { None };
        let test = first().map(|test| Ok(test.expect_text("the test's name")?.as_str().to_owned())).transpose()?;
        let mut kept = Vec::new();
        let items = if of.is_true() { of.items(&self.budget)? } else { Vec::new() };
        for item in items {
            let value = match &path {
                Some(path) => self.part(&item, path)?,
                None => item.clone(),
            };
            let passes = match &test {
                Some(test) => {
                    let args = Args { positional: args.positional.clone(), named: args.named.clone() };
                    self.test(test, &value, args)?
                }
                None => value.is_true(),
            };
            if passes == name.starts_with("select") {
                kept.push(item);
            }
        }
        Value::list(Kind::Generator, kept, &self.budget)
    }

    /// What an item is sorted by: an attribute, or several with commas between; large letters as small ones.
    fn sort_key(&mut self, item: &Value, attribute: Option<&Value>, case_sensitive: bool) -> RunResult<Value> {
        let folded = |renderer: &Self, value: Value| match &value {
            Value::Text(text) if !case_sensitive => {
                Ok(Value::Text(text.map(&renderer.budget, |text| text.to_lowercase())?))
            }
            _ => Ok(value),
        };
        match attribute {
            None | Some(Value::None) => folded(self, item.clone()),
            Some(Value::Text(paths)) if paths.as_str().contains(',') => {
                let paths = paths.clone();
                let mut keys = Vec::new();
                for path in paths.as_str().split(',') {
                    let path = Value::text(path, &self.budget)?;
                    let key = self.part(item, &path)?;
                    keys.push(folded(self, key)?);
                }
                Value::list(Kind::List, keys, &self.budget)
            }
            Some(path) => {
                let key = self.part(item, path)?;
                folded(self, key)
            }
        }
    }

    fn ordered(&mut self, name: &str, of: &Value, args: Args) -> RunResult<Value> {
        let [reverse, case_sensitive, attribute] = match name {
            "sort" => args.take(name, ["reverse", "case_sensitive", "attribute"])?,
            _ => {
                let [case_sensitive, attribute] = args.take(name, ["case_sensitive", "attribute"])?;
                [None, case_sensitive, attribute]
            }
        };
        let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
        let case_sensitive = is_true(case_sensitive);
        let items = of.items(&self.budget)?;
        let mut keys = Vec::with_capacity(items.len());
        for item in &items {
            keys.push(self.sort_key(item, attribute.as_ref(), case_sensitive)?);
        }
        match name {
            "sort" => {
                let order = order(&keys, is_true(reverse), &self.budget)?;
                let sorted = order.into_iter().map(|at| items[at].clone()).collect();
                Value::list(Kind::List, sorted, &self.budget)
            }
            "unique" => {
                let (mut seen, mut kept) = (Vec::<Value>::new(), Vec::new());
                for (key, item) in keys.into_iter().zip(items) {
                    key.check_hashable()?;
                    let mut known = false;
                    for before in &seen {
                        known = known || before.equals(&key, &self.budget)?;
                    }
                    if !known {
                        seen.push(key);
                        kept.push(item);
                    }
                }
                Value::list(Kind::Generator, kept, &self.budget)
            }
            _ => {
                let mut best = 0;
                let wanted = if name == "min" { Ordering::Less } else { Ordering::Greater };
                for at in 1..keys.len() {
                    if keys[at].compare(&keys[best], "<", &self.budget)? == Some(wanted) {
                        best = at;
                    }
                }
                let missing = || Value::Undefined("No aggregated item, sequence was empty.".into());
                Ok(items.get(best).cloned().unwrap_or_else(missing))
            }
        }
    }

    fn join(&mut self, of: &Value, args: Args) -> RunResult<Value> {
        let [separator, attribute] = args.take("join", ["d", "attribute"])?;
        let separator = match separator {
            Some(separator) => super::write::text_of(&separator, &self.budget)?,
            None => Text::literal(""),
        };
        let Some(path) = attribute else { return texts::join(of, &separator, false, &self.budget) };
        let mut parts = Vec::new();
        for item in of.items(&self.budget)? {
            parts.push(self.part(&item, &path)?);
        }
        texts::join(&Value::list(Kind::List, parts, &self.budget)?, &separator, false, &self.budget)
    }

    fn sum(&mut self, of: &Value, args: Args) -> RunResult<Value> {
        let [attribute, start] = args.take("sum", ["attribute", "start"])?;
        let mut sum = start.unwrap_or(Value::Int(0));
        if let Value::Text(_) = sum {
            return Err(Stop::new("sum() can't sum strings [use ''.join(seq) instead]"));
        }
        for item in of.items(&self.budget)? {
            let item = match &attribute {
                None | Some(Value::None) => item,
                Some(path) => self.part(&item, path)?,
            };
            sum = arithmetic::binary(Operator::Add, &sum, &item, &self.budget)?;
        }
        Ok(sum)
    }

    fn dict_sort(&mut self, of: &Value, args: Args) -> RunResult<Value> {
        let [case_sensitive, by, reverse] = args.take("dictsort", ["case_sensitive", "by", "reverse"])?;
        let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
        let place = match by.as_ref().map_or(Some("key"), Value::as_str) {
            Some("key") => 0,
            Some("value") => 1,
            _ => return Err(Stop::new("you can only sort by either \"key\" or \"value\"")),
        };
        of.defined()?;
        let pairs = self.map_view(of, "items")?.items(&self.budget)?;
        let case_sensitive = is_true(case_sensitive);
        let mut keys = Vec::with_capacity(pairs.len());
        for pair in &pairs {
            keys.push(self.sort_key(pair, Some(&Value::Int(place)), case_sensitive)?);
        }
        let order = order(&keys, is_true(reverse), &self.budget)?;
        Value::list(Kind::List, order.into_iter().map(|at| pairs[at].clone()).collect(), &self.budget)
    }

    /// Pairs of what the items have in common and those that have it.
    fn group_by(&mut self, of: &Value, args: Args) -> RunResult<Value> {
        let [attribute, default, case_sensitive] = args.take("groupby", ["attribute", "default", "case_sensitive"])?;
        let attribute = needed(attribute, "groupby", "attribute")?;
        let case_sensitive = case_sensitive.is_some_and(|value| value.is_true());
        let items = of.items(&self.budget)?;
        let (mut keys, mut shown) = (Vec::new(), Vec::new());
        for item in &items {
            let found = self.part(item, &attribute)?;
            let found = if matches!(found, Value::Undefined(_)) { default.clone().unwrap_or(found) } else { found };
            keys.push(self.sort_key(&found, None, case_sensitive)?);
            shown.push(found);
        }
        let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
        for at in order(&keys, false, &self.budget)? {
            match groups.last_mut() {
                Some((key, _, group)) if key.equals(&keys[at], &self.budget)? => group.push(items[at].clone()),
                _ => groups.push((keys[at].clone(), shown[at].clone(), vec![items[at].clone()])),
            }
        }
        let pair = |(_, key, group): (Value, Value, Vec<Value>)| {
            let group = Value::list(Kind::List, group, &self.budget)?;
            Value::list(Kind::Tuple, vec![key, group], &self.budget)
        };
        Value::list(Kind::List, groups.into_iter().map(pair).collect::<RunResult<Vec<_>>>()?, &self.budget)
    }

    /// `batch`: rows of so many; `slice`: so many columns.
    fn pieces(&mut self, name: &str, of: &Value, args: Args) -> RunResult<Value> {
        let [count, fill] = args.take(name, ["count", "fill_with"])?;
        let count = needed(count, name, "count")?.expect_int("count")?;
        let Some(count) = usize::try_from(count).ok().filter(|count| (1..=100_000).contains(count)) else {
            return Err(Stop::new(format!("{name}: a count of {count} is not known here")));
        };
        let fill = fill.filter(|fill| !matches!(fill, Value::None));
        let items = of.items(&self.budget)?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        if name == "batch" {
            rows.extend(items.chunks(count).map(<[Value]>::to_vec));
            if let (Some(last), Some(fill)) = (rows.last_mut(), fill) {
                self.budget.hold(count * size_of::<Value>())?;
                last.resize(count, fill);
            }
        } else {
            let (each, longer) = (items.len() / count, items.len() % count);
            let mut at = 0;
            for column in 0..count {
                let end = at + each + usize::from(column < longer);
                let mut row = items[at..end].to_vec();
                row.extend(fill.clone().filter(|_| column >= longer));
                rows.push(row);
                at = end;
            }
        }
        let rows = rows.into_iter().map(|row| Value::list(Kind::List, row, &self.budget));
        Value::list(Kind::Generator, rows.collect::<RunResult<Vec<_>>>()?, &self.budget)
    }
}
