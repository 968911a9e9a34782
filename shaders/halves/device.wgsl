// Before whatever unpacks or packs halves: the device's own way.

fn device_unpack(word: u32) -> vec2<f32> {
  return unpack2x16float(word);
}

fn device_pack(pair: vec2<f32>) -> u32 {
  return pack2x16float(pair);
}
