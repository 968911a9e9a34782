// Before the formats IQ4_NL, IQ4_XS and MXFP4, whose nibbles are indices of levels: UNEVEN has those as bytes, four a word.
const SIGNED = true;

fn level_word(w: Unit, index: u32) -> u32 {
  var levels = UNEVEN;
  var indices = nibbles(w, index);
  var word = 0u;
  for (var i = 0u; i < 32u; i += 8u) {
    let level = (indices >> i) & 0xfu;
    word |= byte(levels[level / 4u], level % 4u) << i;
  }
  return word;
}
