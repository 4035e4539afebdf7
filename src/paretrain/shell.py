"""Commands that are printed to be copied into a shell. No other module quotes a word.

Names of studies and files come from outside. A command must give them back as they are, and a shell
must find nothing in them to act on.
"""

import os
import re
import shlex

WINDOWS = os.name == "nt"
_BARE = re.compile(r"--[\w-]+|[\w./\\:+][\w./\\:+-]*")
"""What neither PowerShell nor cmd.exe acts on without quotes."""
_ESCAPED = re.compile("[`$\u201c\u201d\u201e]")
"""What PowerShell acts on within double quotes. It takes curved ones for straight ones."""
_UNWRITABLE = re.compile(r'["\x00-\x1f\x7f]')


def command_line(module: str, *words: object, width: int = 0, windows: bool = WINDOWS) -> str:
    r"""Return `python -m MODULE WORDS...` for a POSIX shell, or for those of Windows.

    `width`: in a POSIX shell, a line that would be longer ends in `\` and goes on in the next one,
    before an option.
    """
    parts = [f"python -m {module}"]
    for word in words:
        text = quoted(str(word), windows)
        if text.startswith("--"):
            parts.append(text)
        else:
            parts[-1] += f" {text}"
    lines = [parts[0]]
    for part in parts[1:]:
        if width and not windows and len(lines[-1]) + len(part) + 1 > width:
            lines.append(f"    {part}")
        else:
            lines[-1] += f" {part}"
    return " \\\n".join(lines)


def quoted(word: str, windows: bool = WINDOWS) -> str:
    """Return a word as a shell reads it.

    On Windows it is right in PowerShell, and in cmd.exe unless it holds `%`, `$`, a backtick or a
    curved quote: those give cmd.exe another name, but never a command. A double quote is written as
    `?`: nothing stands for it in both shells and in all versions, and no file name has it there.
    """
    if not windows:
        return shlex.quote(word)
    if _BARE.fullmatch(word):
        return word
    inside = _ESCAPED.sub(r"`\g<0>", _UNWRITABLE.sub("?", word))
    # `$()` is nothing to PowerShell, and keeps cmd.exe from reading a variable between two `%`.
    inside = inside.replace("%", "%$()")
    # To the program that is started, a backslash before the last quote would be an escape.
    last = len(inside) - len(inside.rstrip("\\"))
    return f'"{inside}{last * chr(92)}"'
