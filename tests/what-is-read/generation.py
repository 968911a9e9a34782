"""The fields of transformers' GenerationConfig: what docs/what-is-read.md must have a line for.

    python tests/what-is-read/generation.py > tests/what-is-read/generation.json
"""

import json

from transformers import GenerationConfig

# Those that a file of an older version may have: they are gone from the class, and were read by it.
OLDER = {"force_bos_token_to_be_generated", "forced_decoder_ids", "return_legacy_cache"}

if __name__ == "__main__":
    fields = {name for name in vars(GenerationConfig()) if not name.startswith("_")}
    print(json.dumps(sorted(fields | OLDER), indent=1))
