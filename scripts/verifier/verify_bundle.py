#!/usr/bin/env python3
"""Verifies a bundle that `consilium log export` wrote: a second implementation, from the published formats alone.

    python3 verify_bundle.py FILE [--root FINGERPRINT] [--json]

Python 3.9 or newer, its standard library, nothing else. Exit code 0: every line holds, and the consortium is the one
that --root names. 3: every line holds, no --root was given. 1: something is wrong; the first wrong line is named.
"""
import argparse, base64, datetime, functools, gzip, hashlib, json, math, re, struct, sys, unicodedata, zlib

LINE_MAX, FOUNDING_MAX, FORK_MAX, ENTRY_MAX = 1_048_576, 262_144, 6_460, 65_536  # bytes
HEADS_MAX, MEMBERS_MAX, REFS_MAX, DEPTH_MAX, NAME_MAX = 64_000, 1_000, 64, 16, 80
TIME_MAX, LAMPORT_LEAP = 253_370_764_800_000, 2**32  # the year 9999 in ms; what one entry may add to a Lamport time

class Wrong(Exception): """What is wrong: a code, and a sentence."""

def need(condition, message, code="malformed"):
    if not condition: raise Wrong(code, message)

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

# --- Ed25519, RFC 8032 section 5.1: points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P

def decode_point(text):
    """The point, or None where the 32 bytes are not the canonical encoding of one."""
    y, sign = int.from_bytes(text, "little") & (2**255 - 1), text[31] >> 7
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if v * x * x % P == -u % P: x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or v * x * x % P != u or (x == 0 and sign): return None
    x = P - x if x % 2 != sign else x
    return x, y, 1, x * y % P

def encode_point(p):
    z = pow(p[2], P - 2, P)
    return (p[1] * z % P | (p[0] * z % P % 2) << 255).to_bytes(32, "little")

def is_small(p):
    """Whether the point's order divides 8: libraries disagree on such points, so none counts."""
    for _ in range(3): p = add(p, p)
    return p[0] % P == 0 and (p[1] - p[2]) % P == 0

BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

@functools.lru_cache(maxsize=2 * MEMBERS_MAX)
def negated_key(key):
    point = decode_point(bytes.fromhex(key))
    return None if point is None or is_small(point) else (P - point[0], point[1], 1, P - point[3])

def signed(key, message, signature):
    """Whether R = S B - h A, to the byte, with S < L and neither A nor R of small order."""
    a, s = negated_key(key), int.from_bytes(signature[32:], "little")
    if a is None or s >= L: return False
    digest = hashlib.sha512(signature[:32] + bytes.fromhex(key) + message).digest()
    h, both, r = int.from_bytes(digest, "little") % L, add(BASE, a), (0, 1, 1, 0)
    for i in range(252, -1, -1):  # both multiples at once, bit by bit
        r, bits = add(r, r), (s >> i & 1) + 2 * (h >> i & 1)
        if bits: r = add(r, (BASE, a, both)[bits - 1])
    return encode_point(r) == signature[:32] and not is_small(r)

# --- CBOR, the deterministic encoding of RFC 8949 section 4.2.1; whatever departs from it is refused

def cbor(data, size_max=ENTRY_MAX):
    need(len(data) <= size_max, "more bytes than allowed")
    value, end = cbor_item(data, 0, 0)
    need(end == len(data), "bytes after the end")
    return value

def cbor_item(data, at, depth):
    need(at < len(data) and data[at] & 31 < 28, "cut off, or of no definite length")
    major, info = data[at] >> 5, data[at] & 31
    body = at + 1 + (1 << info - 24 if info > 23 else 0)
    need(body <= len(data), "cut off")
    if major == 7: return cbor_simple(info, data[at + 1:body]), body
    number = int.from_bytes(data[at + 1:body], "big") if info > 23 else info
    least = {24: 24, 25: 2**8, 26: 2**16, 27: 2**32}.get(info, 0)
    need(least <= number < 2**53 - (major == 1), "a number too large or not in its shortest form")
    if major < 2: return -1 - number if major else number, body
    if major < 4:
        need(body + number <= len(data), "cut off")
        found, text = data[body:body + number], data[body:body + number].decode("utf-8", "surrogateescape")
        need(major == 2 or not re.search("[\ud800-\udfff]|^\ufeff", text), "text that is not UTF-8")
        return found if major == 2 else text, body + number
    need(major < 6 and (depth < DEPTH_MAX or number == 0), "a tag, or nested too deep")
    items, at, last = [], body, b""
    for _ in range(number):
        if major == 5:
            key, end = cbor_item(data, at, depth + 1)
            need(type(key) is str and data[at:end] > last, "a map's keys are not sorted texts")
            last, at = data[at:end], end
        item, at = cbor_item(data, at, depth + 1)
        items.append((key, item) if major == 5 else item)
    return dict(items) if major == 5 else items, at

def cbor_simple(info, data):
    need(info in (20, 21, 22, 25, 26, 27), "a simple value without meaning here")
    if info < 23: return (False, True, None)[info - 20]
    value = struct.unpack((">e", ">f", ">d")[info - 25], data)[0]
    size = abs(value)
    need(size < math.inf and not (value.is_integer() and size < 2**53), "a float that should be none")
    in_16 = size <= 65504 and struct.unpack(">e", struct.pack(">e", value))[0] == value
    in_16 = in_16 and (size >= 2**-14 or math.frexp(size)[0] == 0.5)  # our writers keep other subnormals in 32 bits
    in_32 = size <= 3.4028234663852886e38 and struct.unpack(">f", struct.pack(">f", value))[0] == value
    need(info == (25 if in_16 else 26 if in_32 else 27), "a float not in its shortest form")
    return value

# --- what the lines carry
def is_list(value, *types):
    return type(value) is list and len(value) == len(types) and all(type(v) is t for v, t in zip(value, types))

BLANKS = "\u115f\u1160\u3164\uffa0"  # letters that show as nothing

def founding_of(data):
    """The consortium's name, and its members' names by key."""
    value = cbor(data, FOUNDING_MAX)
    need(is_list(value, int, str, list) and value[0] == 1 and all(is_list(row, str, bytes) for row in value[2]),
         "not [1, name, [[name, key], ...]]")
    for name in [value[1]] + [name for name, _ in value[2]]:
        hidden = any(unicodedata.category(c) in ("Cc", "Cf", "Co", "Zl", "Zp") or c in BLANKS for c in name)
        need(0 < len(name.encode()) <= NAME_MAX and name.strip() == name and not hidden, "a name is not printable")
    keys = [key for _, key in value[2]]
    need(2 <= len(keys) <= MEMBERS_MAX and sorted(set(keys)) == keys and {len(key) for key in keys} == {32},
         "not 2 to 1,000 members sorted by key")
    return value[1], {key.hex(): name for name, key in value[2]}

def entry_of(raw):
    parts = cbor(raw)
    dropped = is_list(parts, bytes, type(None), type(None))
    need(dropped or (is_list(parts, bytes, bytes, bytes) and len(parts[1]) == 32), "not [header, salt, body]")
    fields = cbor(parts[0])
    need(any(is_list(fields, int, bytes, int, bytes, int, str, study, list, int, bytes) for study in (bytes, type(None))),
         "not a header")
    version, author, seq, prev, time, kind, study, refs, lamport, digest = fields
    need(version == 1 and {len(author), len(prev), len(digest), 32 if study is None else len(study)} == {32}
         and min(seq, time, lamport - 1) >= 0 and time <= TIME_MAX and (seq == 0) == (prev == bytes(32))
         and re.fullmatch(r"(?=.{1,64}$)[a-z]+(\.[a-z-]+)+", kind) and len(refs) <= REFS_MAX
         and all(is_list(ref, bytes, int, bytes) and ref[1] >= 0 and len(ref[0]) == len(ref[2]) == 32 for ref in refs),
         "a field of the header is out of its bounds")
    if not dropped:
        found = sha256(b"consilium/entry-body/v1\0", parts[1], parts[2])
        need(found == digest, "the body is not the one that its header names", "bundle-body")
        need(type(cbor(parts[2])) is dict, "the body is not a map")
    return {"author": author.hex(), "seq": seq, "prev": prev, "time": time, "kind": kind, "dropped": dropped,
            "study": study and study.hex(), "lamport": lamport, "leaf": sha256(b"\0", parts[0])}

def root_over(leaf, index, size, path):
    """The root that an audit path leads to, RFC 6962 section 2.1.1, from the top down; none where its length does not fit."""
    if size == 1 or not path: return leaf if size == 1 and not path else b""
    split = 1 << (size - 1).bit_length() - 1  # leaves of the left subtree: the largest power of two below the size
    if index < split: return sha256(b"\1", root_over(leaf, index, split, path[:-1]), path[-1])
    return sha256(b"\1", path[-1], root_over(leaf, index - split, size - split, path[:-1]))

def under(leaf, index, size, path, root):
    sound = all(type(part) is bytes and len(part) == 32 for part in [leaf, *path])
    return sound and 0 <= index < size and root_over(leaf, index, size, path) == root

def note_of(data, founding):
    """A C2SP signed note, byte for byte: author, size, root, what is signed, and [key, time, signature] of each line."""
    text, origin, lines = data.decode("utf-8", "replace"), f"consilium/{founding[:16]}/", []
    head = re.match(f"({origin}({HEX})\n([1-9][0-9]{{0,15}})\n([A-Za-z0-9+/]{{43}}=)\n)\n", text)
    need(head and int(head[3]) < 2**53 and text[-1] == "\n", "not a signed checkpoint of a log of this consortium")
    for line in text[head.end():-1].split("\n"):
        match = re.fullmatch(f"\u2014 ({origin}({HEX})) ({B64})", line)
        blob, kind, size = unbase64(match[3], "malformed") if match else b"", *((b"\4", 76) if lines else (b"\1", 68))
        need(len(blob) == size and blob[:4] == sha256(match[1].encode(), b"\n", kind, bytes.fromhex(match[2]))[:4],
             "a signature line is not of its form")
        lines.append((match[2], int.from_bytes(blob[4:-64], "big"), blob[-64:]))
    keys = [key for key, _, _ in lines[1:]]
    need(lines[0][0] == head[2] and head[2] not in keys and sorted(set(keys)) == keys
         and all(0 < time < 2**53 for _, time, _ in lines[1:]), "not the author's line and one for each witness, in order")
    return head[2], int(head[3]), unbase64(head[4], "malformed"), head[1], lines

# --- the file, line by line
HEX, NUMBER = "[0-9a-f]{64}", "(0|[1-9][0-9]{0,15})"
B64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
MADE = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
MAGIC = '{"format":"consilium-bundle/1",'
FILTER = (rf'{{"members":(?:null|\["{HEX}"(?:,"{HEX}")*\]),"kind":(?:null|"(?=[^"]{{1,64}}")[a-z]+(?:\.[a-z-]+)*"),'
          rf'"study":(?:null|"{HEX}"),"since":(?:null|{NUMBER}),"until":(?:null|{NUMBER}),'
          rf'"state":(?:null|"final"|"pending"|"disputed")}}')
LINES = {  # in the order in which they may come
    "heading": rf'{MAGIC}"made":"({MADE})","by":"({HEX})","founding":"({B64})","filter":({FILTER})}}',
    "epoch": rf'{{"epoch":"({B64})"}}',
    "head": r'{"head":("(?:[ !#-\[\]-~]|\\n|\\u2014)*")}',  # JSON text with two of its escapes: all that a note needs
    "fork": rf'{{"fork":"({B64})"}}',
    "entry": rf'{{"entry":{{"head":{NUMBER},"seq":{NUMBER},"raw":"({B64})","proof":\[(|"{B64}"(?:,"{B64}")*)\]}}}}',
    "end": rf'{{"end":{{"heads":{NUMBER},"forks":{NUMBER},"entries":{NUMBER},"digest":"({HEX})"}}}}',
}

def one_form(condition):
    need(condition, "not a line of this format, in the one form that it has", "bundle-line")

def unbase64(text, code="bundle-line"):
    data = base64.b64decode(text)
    need(base64.b64encode(data).decode() == text, "base64 with stray bits", code)
    return data

class Bundle:
    def __init__(self, root):
        self.root, self.kind, self.hash, self.heads, self.logs = root, "heading", hashlib.sha256(), [], {}
        self.last_fork, self.last, self.forks, self.entries = ("",), {"author": "", "seq": -1}, 0, 0
    def take(self, number, data, whole):
        """Line `number`, without its newline; `whole` where it had one."""
        need(number > 1 or data or whole, "there is nothing in it", "bundle-empty")
        need(number > 1 or data.startswith(MAGIC.encode()), "no bundle that this version can read", "bundle-unknown")
        need(self.kind != "end", "nothing may follow the last line", "bundle-trailing")
        one_form(len(data) <= LINE_MAX)
        need(whole, "cut off before its last line", "bundle-truncated")
        kinds, text = list(LINES), data.decode("latin-1")
        kind, match = next(((k, m) for k, m in ((k, re.fullmatch(LINES[k], text)) for k in kinds) if m), (None, None))
        one_form(match)
        need(kinds.index(kind) >= kinds.index(self.kind) and (kind == "heading") == (number == 1),
             f"a line of kind {kind} after one of kind {self.kind}", "bundle-order")
        self.kind = kind
        getattr(self, kind)(*match.groups())
        self.hash.update(data + b"\n")
    def heading(self, made, by, founding, taken, *_):
        self.made, self.by, self.filter, founding = made, by, json.loads(taken), unbase64(founding)
        members, since, until = (self.filter[key] for key in ("members", "since", "until"))
        one_form(sorted(set(members or [])) == (members or []) and max(since or 0, until or 0) <= TIME_MAX)
        self.name, self.members = founding_of(founding)
        self.founding, self.quorum = sha256(b"consilium/founding/v1\0", founding).hex(), 2 * len(self.members) // 3 + 1
        need(self.founding.startswith(self.root or ""), f"of another consortium, {fingerprint(self.founding)}", "bundle-root")
    def epoch(self, _):
        raise Wrong("bundle-epoch-unknown", "a change of membership, which this version cannot check")
    def head(self, text):
        data = text[1:-1].replace("\\n", "\n").replace("\\u2014", "\u2014").encode()
        author, size, root, text, (own, *others) = note_of(data, self.founding)
        need(all(key in self.members for key in [author, *(key for key, _, _ in others)]), "signed by who is no member")
        need((author, size) > (self.heads[-1][:2] if self.heads else ()), "heads are not sorted", "bundle-order")
        need(len(self.heads) < HEADS_MAX, "too many heads")
        need(signed(author, text.encode(), own[2]) and all(signed(key, f"cosignature/v1\ntime {time}\n{text}".encode(), by)
             for key, time, by in others), "a signature under the head is invalid", "bundle-signature")
        final, log = len(others) + 1 >= self.quorum, self.log(author)
        self.heads.append((author, size, root, final))
        log.update(heads=log["heads"] + 1, size=size, finalSize=size if final else log["finalSize"])
    def fork(self, evidence):
        items = cbor(unbase64(evidence), FORK_MAX)
        need(is_list(items, bytes, bytes) or is_list(items, bytes, bytes, int, bytes, list, bytes, list), "no evidence")
        one, other = (note_of(note, self.founding) for note in items[:2])
        (author, size, root, *_), (larger, other_root), rest = one, other[1:3], items[2:]
        index, *leaves = rest or [size - 1]
        if rest: differ = size < larger and leaves[0] != leaves[2] and under(leaves[0], index, size, leaves[1], root) \
                and under(leaves[2], index, larger, leaves[3], other_root)
        else: differ = size == larger and root != other_root and items[0] < items[1]
        need(differ and author == other[0] and author in self.members, "the heads do not contradict, or are not in order")
        need(all(len(lines) == 1 and signed(key, text.encode(), lines[0][2]) for key, _, _, text, lines in (one, other)),
             "a signature under a note is invalid")
        need((author, index) > self.last_fork, "forks are not sorted", "bundle-order")
        self.last_fork, self.forks, log = (author, index), self.forks + 1, self.log(author)
        log["forkSize"] = log["forkSize"] or index + 1
    def entry(self, head, seq, raw, proof):
        head, seq, last, taken = int(head), int(seq), self.last, self.filter
        one_form(max(head, seq) < 2**53)
        entry, proof = unbase64(raw), [unbase64(sibling) for sibling in proof[1:-1].split('","') if proof]
        need(head < len(self.heads), "it names a head that is not there")
        (author, size, root, final), entry = self.heads[head], entry_of(entry)
        need((entry["author"], entry["seq"]) == (author, seq), "not the entry that its line and head name")
        need((author, seq) > (last["author"], last["seq"]), "entries are not sorted", "bundle-order")
        need(under(entry["leaf"], seq, size, proof, root), "it is not under the head that it names", "bundle-proof")
        if last["author"] != author: last = {"seq": -1, "lamport": 0, "leaf": entry["prev"]}
        gap, grown = seq - last["seq"], entry["lamport"] - last["lamport"]
        need(gap > 1 or entry["prev"] == last["leaf"], "it does not name the hash of the entry before it", "bundle-link")
        need(gap <= grown <= gap * LAMPORT_LEAP, "its Lamport time does not fit the one before", "bundle-lamport")
        log, time, kind = self.log(author), entry["time"], entry["kind"]
        state = "disputed" if log["forkSize"] and seq >= log["forkSize"] - 1 else "final" if final else "pending"
        until = TIME_MAX + 1 if taken["until"] is None else taken["until"]
        need(author in (taken["members"] or [author]) and f"{kind}.".startswith((taken["kind"] or kind) + ".")
             and taken["study"] in (None, entry["study"]) and taken["state"] in (None, state)
             and (taken["since"] or 0) <= time < until, "it is not one that the filter takes", "bundle-filter")
        more = {state: 1, "entries": 1, "droppedBodies": entry["dropped"], "disputedFinal": final and state == "disputed"}
        log.update({key: log[key] + more[key] for key in more})
        times = [time] + [ms for ms in (log["firstMs"], log["lastMs"]) if ms is not None]
        log["firstMs"], log["lastMs"], self.last, self.entries = min(times), max(times), entry, self.entries + 1
    def end(self, *said):
        numbers = [int(digits) for digits in said[:3]]
        one_form(max(numbers) < 2**53)
        need(numbers == [len(self.heads), self.forks, self.entries], "other numbers of lines were found", "bundle-count")
        need(said[3] == self.hash.hexdigest(), "the digest over all lines before is another", "bundle-digest")
    def log(self, key):
        counts = "heads size finalSize entries final pending disputed disputedFinal droppedBodies".split()
        fresh = {"name": self.members[key], "member": key, "firstMs": None, "lastMs": None, "forkSize": None}
        return self.logs.setdefault(key, {**dict.fromkeys(counts, 0), **fresh})
    def facts(self):
        names = {"since": "sinceMs", "until": "untilMs"}
        of = {"name": self.name, "founding": self.founding, "fingerprint": fingerprint(self.founding),
              "members": len(self.members), "quorum": self.quorum}
        return {"verdict": "good" if self.root else "consistent", "consortium": of, "made": self.made, "by": self.by,
                "filter": {names.get(key, key): value for key, value in self.filter.items()}, "heads": len(self.heads),
                "forks": self.forks, "entries": self.entries, "logs": [self.logs[key] for key in sorted(self.logs)]}

def fingerprint(digest):
    return " ".join(digest[i:i + 4] for i in range(0, 32, 4))

def verify(file, root=None):
    """The verdict on an open binary file: `good`, `consistent`, or `wrong` with the code, line and message of the fault."""
    bundle, number, whole = Bundle(root), 0, True
    try:
        while whole:
            line, number = file.readline(LINE_MAX + 2), number + 1
            whole = line.endswith(b"\n")
            if bundle.kind == "end" and not line: return bundle.facts()
            bundle.take(number, line[:-1] if whole else line, whole)
    except (EOFError, OSError, zlib.error) as error:
        code, message = "bundle-gzip", f"its gzip wrapping is damaged or cut off: {error}"
    except Wrong as wrong:
        code, message = wrong.args
        if code == "malformed": code = "bundle-" + bundle.kind.replace("heading", "founding")
    return {"verdict": "wrong", "fault": {"code": code, "line": number, "message": message}}

LIMITS = """No bundle can rule out that entries were left out, by the filter or by who exported; that the logs went on; that
what was declared is untrue, or its times wrong; that the membership changed later. Below 4 members finality has no slack."""

def report(found):
    def utc(ms): return f"{datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc):%Y-%m-%d %H:%M:%S}"
    yield "{name}: {members} members, final under {quorum} signatures; fingerprint {fingerprint}".format(**found["consortium"])
    yield "As it says of itself, made {made} by {by}, with the filter {filter}".format(**found)
    for log in found["logs"]:
        yield "{name}: {entries} entries of {size}: {final} final, {pending} pending, {disputed} disputed".format(**log)
        if log["entries"]: yield f"    {utc(log['firstMs'])} to {utc(log['lastMs'])} UTC, its author says"
        if log["droppedBodies"]: yield f"    {log['droppedBodies']} without their body"
        if log["forkSize"]: yield "    DISPUTED: {name} signed two histories of {forkSize} entries".format(**log)
    yield LIMITS

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file"), parser.add_argument("--root"), parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    root = given.root and re.sub("[ \t]", "", given.root).lower()
    if root is not None and not re.fullmatch(f"[0-9a-f]{{32}}|{HEX}", root): sys.exit("--root: 32 or 64 digits are expected")
    try:
        file = open(given.file, "rb")
        found = verify(gzip.open(file) if file.peek(2)[:2] == b"\x1f\x8b" else file, root)
    except OSError as error:
        sys.exit(f"{given.file}: it cannot be read ({error.strerror})")
    words = {"good": "good", "consistent": "consistent; identity not checked"}.get(found["verdict"])
    if given.json: print(json.dumps(found))
    elif words: print(f"{given.file}: {words}", *report(found), sep="\n")
    else: print("{}: wrong at line {line}: {message} [{code}]".format(given.file, **found["fault"]), file=sys.stderr)
    sys.exit({"good": 0, "consistent": 3, "wrong": 1}[found["verdict"]])

if __name__ == "__main__":
    main()
