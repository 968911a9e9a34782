// Before the formats of four bits whose levels are their nibbles.
const SIGNED = false;

fn level_word(w: Unit, index: u32) -> u32 {
  return nibbles(w, index);
}
