// Before the kernels that know a pool of pages: where the rows of a batch's spans are kept, in one group of layers.
//
// From places[parameters.places] on: how many rows there are, spans of several rows, spans of one, and nothing; each
// row's place in the pool; each row's span; the spans, those of several rows first; the places where their pages begin.
// Where a batch looks at its own rows, those are the places.

const PAGE = 64u;         // positions
const HEADER = 4u;
const SPAN_WORDS = 6u;

struct Span {
  row: u32,       // the first one of the batch
  len: u32,       // rows
  position: u32,  // of the first row in its sequence
  keys: u32,      // that there are for it
  pages: u32,     // places[pages + n]: where the sequence's page n begins
  before: u32,    // rows of those before it
}

/// A span, those of several rows counted first.
fn span_at(index: u32) -> Span {
  let at = parameters.places + HEADER + 2u * places[parameters.places] + SPAN_WORDS * index;
  return Span(places[at], places[at + 1u], places[at + 2u], places[at + 3u], places[at + 4u], places[at + 5u]);
}

/// A row's span.
fn span_of_row(row: u32) -> Span {
  return span_at(places[parameters.places + HEADER + places[parameters.places] + row]);
}

/// Where the pool has a position of a sequence with these pages.
fn kept_at(pages: u32, position: u32) -> u32 {
  return places[pages + position / PAGE] + position % PAGE;
}

/// The first of a span's tiles of so many rows, a row being a position and one of the heads that share a key.
fn first_tile(index: u32, shared_by: u32, rows: u32) -> u32 {
  return span_at(index).before * shared_by / rows + index;
}

/// The number of the span that a tile is of: one of several rows.
fn span_of(tile: u32, shared_by: u32, rows: u32) -> u32 {
  var low = 0u;
  var high = places[parameters.places + 1u];
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (first_tile(middle, shared_by, rows) <= tile) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}
