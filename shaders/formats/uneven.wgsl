// Before the formats IQ4_NL and MXFP4, whose nibbles are indices of levels: UNEVEN has those as bytes, four a word.

/// The levels of the low nibbles of a word's bytes.
fn uneven(indices: u32) -> u32 {
  var levels = UNEVEN;
  var word = 0u;
  for (var i = 0u; i < 32u; i += 8u) {
    let index = (indices >> i) & 0xfu;
    word |= byte(levels[index / 4u], index % 4u) << i;
  }
  return word;
}
