#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::split;

/// The statements of a text, directives marked.
fn statements(text: &str) -> Vec<(bool, &str)> {
    let pieces = split(text);
    pieces.iter().map(|piece| (piece.is_directive, text[piece.statement.clone()].trim_end())).collect()
}

fn python(text: &str) -> Vec<&str> {
    let statements = statements(text);
    assert!(statements.iter().all(|(is_directive, _)| !is_directive), "{statements:?}");
    statements.into_iter().map(|(_, statement)| statement).collect()
}

/// That is one statement, and so it is with another before and after it.
#[track_caller]
fn is_one(statement: &str) {
    assert_eq!(python(statement), [statement.trim_end()]);
    let text = format!("a = 1\n{statement}\nz = 26\n");
    assert_eq!(python(&text), ["a = 1", statement.trim_end(), "z = 26"]);
}

#[test]
fn statements_end_where_python_ends_them() {
    is_one("x = 1; y = 2");
    is_one("x = (1 +\n2)");
    is_one("x = [\n'(',\n# )\n]");
    is_one("x = 1 + \\\n2");
    is_one("def f():\n    return 1\n\n    # end\n    x");
    is_one("for i in x:\n    pass\nelse:\n    pass");
    is_one("if a:\n  b\n# comment\nelif c:\n\n  d\nelse:\n  e");
    is_one("try:\n  a\nexcept E:\n  b\nfinally:\n  c");
    is_one("@f\n@g(1,\n2)\n\n# comment\nclass C(\n  D):\n  x = 1");
    is_one("@f\nasync def g():\n\treturn 1");
    is_one("with (open(a) as b,\n      open(c) as d):\n    pass");
    is_one("if x: y");
    is_one("match x:\n    case 1:\n        pass\n    case _:\n        pass");
    is_one("x = 1 \\\n  if y else 2");
}

#[test]
fn strings_hide_what_is_in_them() {
    is_one("x = '''\n@0 1\n%target 0\n!ls\ny = @all 1\n'''");
    is_one("x = \"\"\"\n'''\n\\\"\"\"\n(\n\"\"\"");
    is_one("x = 'a\\\nb'");
    is_one("x = r'\\'; y = '#'; z = \"(\"");
    is_one("x = rb'''\n\\'''\n'''");
    is_one("f'{x[\"a\"]}'; y = '('");
    is_one("f\"{x[\"a\"]}\"; y = '('");
    is_one("f'{x:{y}}' + '{' + f'{{' + f'}}'");
    is_one("f'{x:%H o\"clock}' + '('");
    is_one("f'''{\nx\n:\n>10}\n'''");
    is_one("rf'{x!r:>{w}}\\{y}'");
    is_one("f'{ {\"a\": 1}[\"a\"] }'");
    is_one("f'{x = }' 'it''s'");
    is_one("if_ = 'f'; x = b'\\'('");
    is_one("t'{x}' '('");
    is_one("f'{(lambda x: x)(1)}'");
}

#[test]
fn broken_source_ends_soon() {
    assert_eq!(python("x = 'a\ny = 1"), ["x = 'a", "y = 1"]);
    assert_eq!(python("f'{x:a\ny = 1"), ["f'{x:a", "y = 1"]);
    assert_eq!(python("x = )\ny = 1"), ["x = )", "y = 1"]);
    assert_eq!(python("x = (\ny = 1\n"), ["x = (\ny = 1"]);
    assert_eq!(python("x = 1 \\"), ["x = 1 \\"]);
    assert_eq!(python("'\\"), ["'\\"]);
    assert_eq!(python("f'"), ["f'"]);
}

#[test]
fn directives_are_directives_where_statements_begin() {
    let text = "\
# first
%target 0-1
x = 1
@3 y = (1,
  2)
@0 a = 1
@1 a = 2
for i in x:
    %notone
@all for i in x:
    print(i)
else:
    z
name = @0-3 f(1,
   2)
!echo it's (fine
%%px --targets 0
x = '
y
%%px
1
";
    let expected = [
        (true, "%target 0-1"),
        (false, "x = 1"),
        (true, "@3 y = (1,\n  2)"),
        (true, "@0 a = 1"),
        (true, "@1 a = 2"),
        (false, "for i in x:\n    %notone"),
        (true, "@all for i in x:\n    print(i)\nelse:\n    z"),
        (true, "name = @0-3 f(1,\n   2)"),
        (true, "!echo it's (fine"),
        (true, "%%px --targets 0\nx = '\ny"),
        (true, "%%px\n1"),
    ];
    assert_eq!(statements(text), expected);
}

#[test]
fn decorators_stay_decorators() {
    is_one("@f\ndef g(): pass");
    is_one("@f (1)\ndef g(): pass");
    is_one("@a + b\n@c\nclass D: pass");
    is_one("@a if b else c\n\n# why\nasync def g():\n  pass");
    is_one("@ f\ndef g(): pass");
    is_one("@f # comment\ndef g(): pass");
    is_one("@f(a, b)\ndef g(): pass");
    is_one("@x[0, 1]\ndef g(): pass");
    let text = "@all (1 + 1)\n@all [2]\nx\n@all -x\n@0-3 (x)\ndef f(): pass\n@2 x\ndef g(): pass";
    let expected = [
        (true, "@all (1 + 1)"),
        (true, "@all [2]"),
        (false, "x"),
        (true, "@all -x"),
        (true, "@0-3 (x)"),
        (false, "def f(): pass"),
        (true, "@2 x"),
        (false, "def g(): pass"),
    ];
    assert_eq!(statements(text), expected);
}

#[test]
fn lines_are_counted_from_one() {
    let lines = |text| split(text).iter().map(|piece| piece.line).collect::<Vec<_>>();
    assert_eq!(lines("a\nb\n"), [1, 2]);
    assert_eq!(lines("# x\n\na\n\n# y\nif b:\n  c\n\n%d\n@0 e"), [3, 6, 9, 10]);
    assert_eq!(lines("'''\n\n'''\r\nb"), [1, 4]);
}

#[test]
fn nothing_is_nothing() {
    assert!(split("").is_empty());
    assert_eq!(statements("\n# comment\n  \n"), [(false, "")]);
}

/// A generator of numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

const STATEMENTS: &[(bool, &str)] = &[
    (false, "x = 1\n"),
    (false, "x = 'é(' + \"#\" # ' comment (\n"),
    (false, "def f(a,\n  b=')'):\n\n    # inner\n    return '''\n@0 x\n%y\n'''\n"),
    (false, "if x:\n    y\n# between\n\nelif z:\n    (1,\n2)\nelse:\n\t'ä'\n"),
    (false, "try: f()\nexcept E: pass\nfinally: pass\n"),
    (false, "@a\n@b(1, '@')\nclass C:\n    '''\n    doc\n'''\n    x = f'{y:{w}} {z[\"k\"]}'\n"),
    (false, "x = [1, # (\n 2,\n\n'''\n]''']\n"),
    (false, "a = 1; b = \\\n  2\n"),
    (false, "async def g():\n    async with a as b: pass\n"),
    (false, "while x:\n  y\nelse:\n  z\n"),
    (false, "print(f\"\"\"{\nx\n}\n%who\n\"\"\")\n"),
    (true, "%target 0-2\n"),
    (true, "%time f('\n"),
    (true, "!echo \"it's\" \\\n  more\n"),
    (true, "@3 x = (1,\n2)\n"),
    (true, "@0-2,!1 for i in x:\n    print(i)\nelse:\n    y\n"),
    (true, "@local y\n"),
    (true, "r = @all g(\n)\n"),
    (true, "x.y?\n"),
    (true, "@1 %who\n"),
];
const TRIVIA: &[&str] = &["", "", "", "\n", "# it's (\n", "   \n\n", "  # indented\n"];

/// Programs put together from pieces fall apart into the same pieces, whatever is between them.
#[test]
fn programs_fall_apart_where_they_were_put_together() {
    let mut dice = Dice(0x5eed_cafe);
    for _ in 0..3000 {
        let mut text = TRIVIA[dice.roll(TRIVIA.len())].to_owned();
        let mut expected = Vec::new();
        for _ in 0..=dice.roll(8) {
            let (is_directive, statement) = STATEMENTS[dice.roll(STATEMENTS.len())];
            expected.push((is_directive, statement.trim_end().to_owned()));
            text.push_str(statement);
            text.push_str(TRIVIA[dice.roll(TRIVIA.len())]);
        }
        let found: Vec<_> = statements(&text).into_iter().map(|(is, text)| (is, text.to_owned())).collect();
        assert_eq!(found, expected, "{text}");
        covers(&text);
    }
}

/// Whatever the text, its pieces follow each other and cover it.
#[test]
fn every_byte_belongs_to_one_piece() {
    const SCRAPS: &[&str] = &[
        "x",
        " ",
        "\n",
        "'",
        "\"",
        "'''",
        "\"\"\"",
        "f'",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ":",
        "\\",
        "#",
        "@",
        "%",
        "!",
        "?",
        "é",
        "=",
        "\r\n",
        "\t",
        "if",
        "else",
        "def",
        "all",
        "rb'",
        "%%",
        "0",
        ",",
        "\u{1f600}",
        "\\\r\n",
    ];
    let mut dice = Dice(0xdead_beef);
    for _ in 0..20_000 {
        let text: String = (0..dice.roll(30)).map(|_| SCRAPS[dice.roll(SCRAPS.len())]).collect();
        covers(&text);
    }
}

fn covers(text: &str) {
    let mut at = 0;
    for piece in split(text) {
        assert_eq!(piece.range.start, at, "{text:?}");
        let (statement, range) = (piece.statement, piece.range);
        assert!(text.is_char_boundary(statement.start) && text.is_char_boundary(statement.end), "{text:?}");
        assert!(statement.is_empty() || range.start <= statement.start && statement.end <= range.end);
        at = range.end;
    }
    assert_eq!(at, text.len(), "{text:?}");
}
