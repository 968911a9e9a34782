// Before the products of up to three matrices: where one goes, and what becomes of it. What a kernel has no use for is not
// in its text: processors that stand in for a GPU go through all branches.

fn there(segment: u32, at: u32) -> f32 {
  if (OUTS == 1u) {
    return out[at];
  }
  switch segment {
    case 0u: { return out[at]; }
    case 1u: { return out_second[at]; }
    default: { return out_third[at]; }
  }
}

/// By HOW a product 0: stays as it is, 1: is added to what is there, 2: is multiplied with the activation of that,
/// 3: is activated.
fn put(segment: u32, at: u32, product: f32) {
  var value = product;
  if (HOW == 1u) {
    value += there(segment, at);
  } else if (HOW == 2u) {
    value *= activated(there(segment, at), ACTIVATION);
  } else if (HOW == 3u) {
    value = activated(value, ACTIVATION);
  }
  if (OUTS == 1u) {
    out[at] = value;
    return;
  }
  switch segment {
    case 0u: { out[at] = value; }
    case 1u: { out_second[at] = value; }
    default: { out_third[at] = value; }
  }
}
