"""Commands to copy mean the words that they were made of, to every shell that may read them."""

import re
import shlex

import pytest

from paretrain.shell import command_line, quoted

NAMES = [
    *("plain", "my study", "it's", "a; calc", "a & calc", "a|b", "a > b", "(x)", "{x}", "#1"),
    *("$(calc)", "$env:PATH", "`calc`", "@args", "--%", "-a.b", "%PATH%", "%", "100%", "^&calc"),
    *("%CMDCMDLINE:~0,1% & calc & %CMDCMDLINE:~0,1%", "!x!", "a,b", "a=b", "~", "*", "", "ä ö"),
    *("C:\\images", "C:\\my images", "C:\\my images\\", "\\\\host\\share", "curved \u201d & calc"),
    *("--storage", "--data x", "C:\\a&b\\", "end`", "$", "x$(calc)%$()"),
]
UNWRITABLE = ['a" & calc & "b', 'say "hello"', "line\ncalc", '"', 'a\\"b c']


def program_words(line: str) -> list[str]:
    """As a program on Windows splits its command line: backslashes count only before a quote."""
    words, word, inside, at = [], "", False, 0
    begun = False
    while at < len(line):
        if found := re.match(r'(\\*)"', line[at:]):
            count = len(found[1])
            word += "\\" * (count // 2) + '"' * (count % 2)
            inside, begun, at = inside ^ (count % 2 == 0), True, at + count + 1
        elif line[at] == " " and not inside:
            words += [word] * begun
            word, begun, at = "", False, at + 1
        else:
            word, begun, at = word + line[at], True, at + 1
    return words + [word] * begun


def powershell_word(text: str) -> str:
    """One argument as PowerShell reads it; fails where it would act on anything in it."""
    if not text.startswith('"'):
        assert re.fullmatch(r"[\w./\\:+-]+", text) and not re.match(r"-[^-]*\.", text), text
        return text
    assert text.endswith('"') and len(text) > 1
    inside, word = text[1:-1], ""
    while inside:
        if inside[0] == "`":
            assert inside[1:2] in ("`", "$", "\u201c", "\u201d", "\u201e"), text
            word, inside = word + inside[1], inside[2:]
        elif inside.startswith("$()"):
            inside = inside[3:]
        else:
            assert inside[0] not in '$"\u201c\u201d\u201e', text
            word, inside = word + inside[0], inside[1:]
    return word


def cmd_line(text: str) -> str:
    """What cmd.exe starts; fails where it would act on anything else. Variables it knows are
    filled in first, wherever they stand."""
    known = {"PATH": "C:\\Windows", "CMDCMDLINE:~0,1": '"', "CMDCMDLINE": '"cmd.exe" '}
    text = re.sub("%([^%]*)%", lambda found: known.get(found[1], found[0]), text)
    outside = "".join(text.split('"')[::2])
    assert text.count('"') % 2 == 0 and not re.search(r"[&|<>^()\n%]", outside), text
    return text


@pytest.mark.parametrize("name", [*NAMES, *UNWRITABLE])
def test_a_posix_shell_reads_the_words_again(name: str) -> None:
    line = command_line("search.report", "--study-name", name, "--out", "x", windows=False)
    assert shlex.split(line) == [
        "python",
        "-m",
        "search.report",
        "--study-name",
        name,
        "--out",
        "x",
    ]
    broken = command_line(
        "search.report", "--study-name", name, "--out", "x", width=1, windows=False
    )
    assert (
        shlex.split(broken.replace(" \\\n", "")) == shlex.split(line) and broken.count(" \\\n") > 1
    )


@pytest.mark.parametrize("name", NAMES)
def test_powershell_reads_the_words_again(name: str) -> None:
    read = powershell_word(quoted(name, windows=True))
    # Version 7 hands on what it read; version 5 puts quotes around spaces and escapes nothing.
    five = program_words(f'"{read}"' if " " in read or not read else read)
    assert five == [name] or five[0].rstrip("\\") == name.rstrip("\\")
    assert read.rstrip("\\") == name.rstrip("\\") and len(five) == 1


@pytest.mark.parametrize("name", NAMES)
def test_cmd_reads_the_words_again_or_other_ones_but_no_command(name: str) -> None:
    line = command_line("search.report", "--study-name", name, "--out", "x", windows=True)
    *head, read, out, last = program_words(cmd_line(line))
    assert head == ["python", "-m", "search.report", "--study-name"] and (out, last) == (
        "--out",
        "x",
    )
    assert read == name or re.search("[%$`\u201d]", name)


@pytest.mark.parametrize("name", UNWRITABLE)
def test_what_windows_cannot_write_is_marked_and_harmless(name: str) -> None:
    text = quoted(name, windows=True)
    marked = re.sub(r'["\n]', "?", name)
    assert powershell_word(text) == marked and program_words(cmd_line(text)) == [marked]


def test_a_line_for_windows_is_never_broken() -> None:
    words = ("--storage", "C:\\my images\\studies.db", "--study-name", "x")
    line = command_line("search.export", *words, width=20, windows=True)
    assert line.count("\n") == 0 and '--storage "C:\\my images\\studies.db" --study-name x' in line
