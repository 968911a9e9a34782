// Where the page finds marked's lexer once it is built: one file beside its own.

export { Lexer, type Token, type Tokens } from "marked";
