#!/usr/bin/env python3
"""Verifies a bundle that `consilium log export` wrote: a second implementation, from the published formats alone.
    python3 verify_bundle.py FILE [--root FINGERPRINT] [--json]
Python 3.9 or newer, its standard library, nothing else. Exit code 0: every line holds, and the consortium is the one
that --root names. 3: every line holds, no --root was given. 1: something is wrong; the first wrong line is named."""
import argparse, base64, collections, gzip, hashlib, json, math, re, struct, sys, unicodedata, zlib
LINE_MAX, RECORD_MAX, EPOCH_MAX, FOUNDING_MAX, ENTRY_MAX = 1_048_576, 727_312, 524_288, 262_144, 65_536  # bytes
HEADS_MAX, PINS_MAX, MEMBERS_MAX, REFS_MAX, DEPTH_MAX, ROUND_MAX = 64_000, 4_000, 1_000, 64, 16, 1_000_000
FORK_MAX, NAME_MAX, LAMPORT_LEAP, TIME_MAX = 6_460, 80, 2**32, 253_370_764_800_000  # the last is the year 9999 in ms
class Wrong(Exception): """What is wrong: a code, and a sentence."""
def need(condition, message, code=None):
    if not condition: raise Wrong(code, message)
def sha256(*parts): return hashlib.sha256(b"".join(parts)).digest()
def ascending(items): return sorted(set(items)) == items
def quorum(members): return 2 * len(members) // 3 + 1
# ---------- Ed25519, RFC 8032 section 5.1: points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z
P, L, ZERO = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493, (0, 1, 1, 0)
D = -121665 * pow(121666, -1, P) % P
def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P
def times(number, point):
    rest = times(number >> 1, add(point, point)) if number else ZERO
    return add(rest, point) if number & 1 else rest
def equal(p, q): return all((p[i] * q[2] - q[i] * p[2]) % P == 0 for i in (0, 1))
def point_of(data):  # None where 32 bytes encode none canonically, or one whose order divides 8: libraries disagree
    y, sign = int.from_bytes(data, "little") & (2**255 - 1), data[31] >> 7
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if v * x * x % P != u: x = x * pow(2, (P - 1) // 4, P) % P
    point = (x := P - x if x % 2 != sign else x), y, 1, x * y % P
    return None if y >= P or v * x * x % P != u or equal(times(8, point), ZERO) else point
BASE = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
def signed(key, message, signature):  # S B = R + h A, with S < L and neither A nor R of small order
    a, r, s = point_of(key), point_of(signature[:32]), int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return None not in (a, r) and s < L and equal(times(s, BASE), add(r, times(h, a)))
# ---------- CBOR, the deterministic encoding of RFC 8949 section 4.2.1: what encodes to other bytes again is refused
def cbor(data, form=lambda value: True, most=ENTRY_MAX):
    value, _ = decode(data, 0, 0)
    need(len(data) <= most and encode(value) == data and fits(value, form), "not of its one form")
    return value
def decode(data, at, depth):
    need(at < len(data) and data[at] & 31 < 28, "cut off, or of no definite length")
    major, info = data[at] >> 5, data[at] & 31
    body = at + 1 + (1 << info - 24 if info > 23 else 0)
    number = int.from_bytes(data[at + 1:body], "big") if info > 23 else info
    end = body + number if major in (2, 3) else body
    need(end <= len(data) and (number < 2**53 - (major == 1) or major == 7), "cut off, or a number too large")
    if major < 2: return -1 - number if major else number, end
    if major < 4: return data[body:end] if major == 2 else data[body:end].decode("utf-8", "replace"), end
    if major == 7 and info > 24: return struct.unpack(">" + "efd"[info - 25], data[at + 1:end])[0], end
    if major == 7: return {20: False, 21: True}.get(info), end
    need(major != 6 and (depth < DEPTH_MAX or number == 0), "a tag, or nested too deep")
    items = []
    for _ in range(number * (major - 3)):
        item, end = decode(data, end, depth + 1)
        items.append(item)
    need(major == 4 or all(type(key) is str for key in items[::2]), "a map's key is not a text")
    return items if major == 4 else dict(zip(items[::2], items[1::2])), end
def encode(value):
    if value is None or type(value) is bool: return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if type(value) is int: return lead(0, value) if value >= 0 else lead(1, -1 - value)
    if type(value) is float: return encode_float(value)
    if type(value) is bytes: return lead(2, len(value)) + value
    if type(value) is list: return lead(4, len(value)) + b"".join(map(encode, value))
    if type(value) is dict: return lead(5, len(value)) + b"".join(sorted(encode(k) + encode(value[k]) for k in value))
    need(value[:1] != "\ufeff", "a text begins with a byte order mark")
    return lead(3, len(value.encode())) + value.encode()
def lead(major, number):
    if number < 24: return bytes([major << 5 | number])
    length = next(length for length in (1, 2, 4, 8) if number < 256**length)
    return bytes([major << 5 | 23 + length.bit_length()]) + number.to_bytes(length, "big")
def encode_float(value):
    size = abs(value)
    if size < 2**53 and value.is_integer(): return encode(int(value))
    need(size < math.inf, "a float that is no number")
    def keeps(form, most): return size <= most and struct.unpack(form, struct.pack(form, value))[0] == value
    in_16 = keeps(">e", 65504) and (size >= 2**-14 or math.frexp(size)[0] == 0.5)  # other subnormals take 32 bits
    form = (">Be", 0xf9) if in_16 else (">Bf", 0xfa) if keeps(">f", 3.4028234663852886e38) else (">Bd", 0xfb)
    return struct.pack(*form, value)
# ---------- forms: a test; a tuple for a list of just these; [form] for one of any length; a dict for an object
def fits(it, form):
    if callable(form): return form(it)
    if type(form) is dict: return type(it) is dict and [*it] == [*form] and all(map(fits, it.values(), form.values()))
    forms = form * len(it) if type(form) is list and type(it) is list else form
    return type(it) is list and len(it) == len(forms) and all(map(fits, it, forms))
def of(kind, *lengths): return lambda value: type(value) is kind and (not lengths or len(value) in lengths)
def text(pattern): return lambda value: type(value) is str and re.fullmatch(pattern, value) is not None
def count(least=0, most=2**53 - 1): return lambda value: type(value) is int and least <= value <= most
def or_null(form): return lambda value: value is None or fits(value, form)
def is_base64(value): return text(B64)(value) and base64.b64encode(base64.b64decode(value)).decode() == value
def is_name(value):
    if type(value) is not str or value.strip() != value or not 0 < len(value.encode()) <= NAME_MAX: return False
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Co", "Zl", "Zp") and c not in BLANKS for c in value)
BYTES, HASH, ONE, COUNT, TIME = of(bytes), of(bytes, 32), count(1, 1), count(), count(0, TIME_MAX)
PLACES, KIND = [(HASH, COUNT, HASH)], r"(?=[^,]{1,64}(,|$))[a-z]+(\.[a-z-]+)"
MEMBERS = {1: [(is_name, HASH)], 2: [(is_name, HASH, count(0, 1))]}  # version 2 is for lists with an observer, role 1
RECORD, EPOCH = (BYTES, count(0, ROUND_MAX), [(HASH, of(bytes, 64))]), (count(1, 2), COUNT, HASH, of(list), PLACES)
HEADER = (ONE, HASH, COUNT, HASH, TIME, text(KIND + "+"), or_null(HASH), PLACES, count(1), HASH)
FORK = (BYTES, BYTES, COUNT, HASH, [HASH], HASH, [HASH])  # or the first two
BLANKS, MAGIC, HEX = "\u115f\u1160\u3164\uffa0", b'{"format":"consilium-bundle/1",', "[0-9a-f]{64}"
B64, KINDS = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", f"{KIND}*(,{KIND}*){{0,15}}"
MADE = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
FILTER = {"members": or_null(lambda keys: fits(keys, [text(HEX)]) and ascending(keys) and keys != []),
          "kind": or_null(lambda it: text(KINDS)(it) and ascending(it.split(","))), "study": or_null(text(HEX)),
          "since": or_null(TIME), "until": or_null(TIME), "state": or_null(text("final|pending|disputed"))}
LINES = {  # in the order in which they may come
    "founding": {"format": of(str), "made": text(MADE), "by": text(HEX), "founding": is_base64, "filter": FILTER},
    "epoch": {"epoch": is_base64}, "head": {"head": text("[ !#-\\[\\]-~\n\u2014]*")}, "fork": {"fork": is_base64},
    "entry": {"entry": {"head": COUNT, "seq": COUNT, "raw": is_base64, "proof": [is_base64]}},
    "end": {"end": {"heads": COUNT, "forks": COUNT, "entries": COUNT, "digest": text(HEX)}}}
# ---------- what the lines carry: epochs, entries with their proofs, signed notes
Epoch = collections.namedtuple("Epoch", "number digest members observers pins")  # names by key; size and root by author
Entry = collections.namedtuple("Entry", "author seq prev time kind study lamport leaf dropped")
Note = collections.namedtuple("Note", "author size root text lines")  # key, time, signature of each; the author's first
COUNTS, NO_PIN = "heads size finalSize entries final pending disputed disputedFinal droppedBodies", (0, bytes(32))
def members_of(rows, version):  # names by key, and who of them are observers
    need(fits(rows, MEMBERS[version]) and ascending([row[1] for row in rows]), "not members, sorted by key")
    names, observers = {row[1]: row[0] for row in rows}, {row[1] for row in rows if row[2:] == [1]}
    need((version == 2) == bool(observers) and len(observers) + 2 <= len(rows) <= MEMBERS_MAX, "not 2 hospitals")
    return names, observers
def epoch_of(record, before, founding):  # signed by a quorum of the members before it, and one of those after it
    content, turn, rows = cbor(record, RECORD, RECORD_MAX)
    version, number, previous, named, heads = cbor(content, EPOCH, EPOCH_MAX)
    need(number == before.number + 1 and previous == before.digest, f"epoch {number} does not follow {before.number}")
    (members, observers), digest = members_of(named, version), sha256(b"consilium/epoch/v1\0", content)
    need(not (observers ^ before.observers) & {*members} & {*before.members, *before.pins}, "a key keeps its role")
    fresh = [point_of(key) for key in members if key not in before.members]
    need(all(point and equal(times(L, point), ZERO) for point in fresh) and len({*members.values()}) == len(members),
         "a new key is not of the group of prime order, or two members have the same name")
    signers, vote = [key for key, _ in rows], b"consilium/vote/v1\0" + encode([1, founding, number, 2, turn, digest])
    need(ascending(signers) and {*signers} <= {*before.members, *members}, "not signatures of members, sorted by key")
    need(all(len({*signers} & {*side}) >= quorum(side) for side in (before.members, members)), "not a quorum of each")
    need(all(signed(key, vote, signature) for key, signature in rows), "a signature is invalid")
    return Epoch(number, digest, members, before.observers | observers, pins_of(heads, before))
def pins_of(heads, before):  # how far every log had come when an epoch began
    pins, authors = {author: (size, root) for author, size, root in heads}, sorted({*before.pins, *before.members})
    need([head[0] for head in heads] == authors and len(heads) <= PINS_MAX, "not every log, sorted by author")
    for author, pin in pins.items():
        old = before.pins.get(author, NO_PIN)
        need((pin[0] == 0) == (pin[1] == NO_PIN[1]), "an empty log has a root of zeros, and no other has")
        need(pin == old or pin[0] > old[0] and author in before.members, "a log goes back, or on without its author")
    return pins
def entry_of(raw):
    header, salt, body = cbor(raw, (BYTES, or_null(HASH), or_null(BYTES)))
    _, author, seq, prev, time, kind, study, refs, lamport, digest = cbor(header, HEADER)
    need((seq == 0) == (prev == bytes(32)) and len(refs) <= REFS_MAX and (salt is None) == (body is None), "unsound")
    if body is not None:
        need(sha256(b"consilium/entry-body/v1\0", salt, body) == digest, "not the body of its header", "bundle-body")
        cbor(body, of(dict))
    return Entry(author, seq, prev, time, kind, study and study.hex(), lamport, sha256(b"\0", header), body is None)
def root_over(leaf, index, size, path):  # RFC 6962 section 2.1.1, from the top down; none where the length is wrong
    if size == 1 or not path: return leaf if size == 1 and not path else b""
    split = 1 << (size - 1).bit_length() - 1  # leaves of the left subtree: the largest power of two below the size
    if index < split: return sha256(b"\1", root_over(leaf, index, split, path[:-1]), path[-1])
    return sha256(b"\1", path[-1], root_over(leaf, index - split, size - split, path[:-1]))
def under(note, index, leaf, path):
    return fits(path, [HASH]) and index < note.size and root_over(leaf, index, note.size, path) == note.root
def note_of(text, founding):  # a C2SP signed note, byte for byte
    origin = f"consilium/{founding.hex()[:16]}/"
    head = re.match(f"({origin}({HEX})\n([1-9][0-9]{{0,15}})\n([A-Za-z0-9+/]{{43}}=)\n)\n", text)
    need(head and int(head[3]) < 2**53 and is_base64(head[4]) and text[-1] == "\n", "not a head of this consortium")
    lines = [note_line(line, origin, i > 0) for i, line in enumerate(text[head.end():-1].split("\n"))]
    own, *others = [key for key, _, _ in lines]
    need(own.hex() == head[2] and own not in others and ascending(others), "not one line for each signer, sorted")
    return Note(own, int(head[3]), base64.b64decode(head[4]), head[1], lines)
def note_line(line, origin, cosigned):
    match = re.fullmatch(f"\u2014 ({origin}({HEX})) ({B64})", line)
    need(match and is_base64(match[3]), "a signature line is not of its form")
    key, blob = bytes.fromhex(match[2]), base64.b64decode(match[3])
    hashed, time = sha256(match[1].encode(), b"\n\4" if cosigned else b"\n\1", key), int.from_bytes(blob[4:-64], "big")
    sized = len(blob) == (76 if cosigned else 68) and (0 < time < 2**53) == cosigned
    need(sized and blob[:4] == hashed[:4], "a signature line is not of its form")
    return key, time, blob[-64:]
def is_signed(note):
    def text(time): return f"cosignature/v1\ntime {time}\n{note.text}" if time else note.text
    return all(signed(key, text(time).encode(), signature) for key, time, signature in note.lines)
# ---------- the file, line by line
class Bundle:
    def __init__(self, root):
        self.root, self.kind, self.hash, self.heads, self.logs = root, "founding", hashlib.sha256(), [], {}
        self.last_fork, self.last, self.forks, self.entries = (b"",), Entry(b"", -1, *[None] * 7), 0, 0
    def take(self, number, data, whole):  # a line without its newline; `whole` where it had one
        need(number > 1 or data or whole, "there is nothing in it", "bundle-empty")
        need(number > 1 or data.startswith(MAGIC), "no bundle that this version can read", "bundle-unknown")
        need(self.kind != "end", "nothing may follow the last line", "bundle-trailing")
        need(len(data) <= LINE_MAX, "a line that is too long", "bundle-line")
        need(whole, "cut off before its last line", "bundle-truncated")
        try: line = json.loads(data.decode("latin-1"))
        except (ValueError, RecursionError): line = None
        kind, kinds = next((kind for kind, form in LINES.items() if fits(line, form)), None), [*LINES]
        need(kind and json.dumps(line, separators=(",", ":")).encode() == data, "a line not in its form", "bundle-line")
        ordered = kinds.index(kind) >= kinds.index(self.kind) and (kind == "founding") == (number == 1)
        need(ordered, f"a line of kind {kind} after one of kind {self.kind}", "bundle-order")
        self.kind = kind
        getattr(self, kind)(line if number == 1 else line[kind])
        self.hash.update(data + b"\n")
    def founding(self, line):
        self.made, self.by, founding = line["made"], line["by"], base64.b64decode(line["founding"])
        self.filter = dict(zip(("members", "kind", "study", "sinceMs", "untilMs", "state"), line["filter"].values()))
        version, self.name, rows = cbor(founding, (count(1, 2), is_name, of(list)), FOUNDING_MAX)
        self.digest = sha256(b"consilium/founding/v1\0", founding)
        self.epochs = [Epoch(0, self.digest, *members_of(rows, version), {})]
        need(self.digest.hex().startswith(self.root or ""), "it is of another consortium", "bundle-root")
    def epoch(self, record): self.epochs.append(epoch_of(base64.b64decode(record), self.epochs[-1], self.digest))
    def head(self, text):
        author, size, root, _, lines = note = note_of(text, self.digest)
        pin = self.epochs[-1].pins.get(author, NO_PIN)
        members = next(epoch.members for epoch in reversed(self.epochs) if size > epoch.pins.get(author, NO_PIN)[0])
        need(all(key in members for key, _, _ in lines), f"signed by who is no member in the epoch of {size} entries")
        need((size, root) == pin or size > pin[0], f"not the pin of {pin[0]} entries, nor beyond it", "bundle-pin")
        need(not self.heads or (author, size) > self.heads[-1][0][:2], "heads are not sorted", "bundle-order")
        need(len(self.heads) < HEADS_MAX, "too many heads")
        need(is_signed(note), "a signature under the head is invalid", "bundle-signature")
        final, log = (size, root) == pin or len(lines) >= quorum(members), self.log(author)
        self.heads.append((note, final))
        log.update(heads=log["heads"] + 1, size=size, finalSize=size if final else log["finalSize"])
    def fork(self, evidence):
        items = cbor(base64.b64decode(evidence), lambda items: fits(items, FORK) or fits(items, FORK[:2]), FORK_MAX)
        one, other = notes = [note_of(note.decode("utf-8", "replace"), self.digest) for note in items[:2]]
        index, *leaves = items[2:] or [one.size - 1]
        if leaves: differ = leaves[0] != leaves[2] and all(map(under, notes, [index] * 2, leaves[::2], leaves[1::2]))
        else: differ = one.size == other.size and one.root != other.root and items[0] < items[1]
        need(differ and (not leaves or one.size < other.size), "the heads do not contradict, or are not in order")
        need(one.author == other.author and self.name_of(one.author), "not two heads of one member")
        need(all(len(note.lines) == 1 and is_signed(note) for note in notes), "a signature under a note is invalid")
        need((one.author, index) > self.last_fork, "forks are not sorted", "bundle-order")
        self.last_fork, self.forks, log = (one.author, index), self.forks + 1, self.log(one.author)
        log["forkSize"] = log["forkSize"] or index + 1
    def entry(self, line):
        need(line["head"] < len(self.heads), "it names a head that is not there")
        (note, final), entry, last = self.heads[line["head"]], entry_of(base64.b64decode(line["raw"])), self.last
        path, log = [base64.b64decode(sibling) for sibling in line["proof"]], self.log(note.author)
        need(entry[:2] == (note.author, line["seq"]), "not the entry that its line and head name")
        need(entry[:2] > last[:2], "entries are not sorted", "bundle-order")
        need(under(note, entry.seq, entry.leaf, path), "it is not under the head that it names", "bundle-proof")
        if last.author != entry.author: last = last._replace(seq=-1, lamport=0, leaf=entry.prev)
        gap, grown, split = entry.seq - last.seq, entry.lamport - last.lamport, (log["forkSize"] or math.inf) - 1
        need(gap > 1 or entry.prev == last.leaf, "it does not name the hash of the entry before it", "bundle-link")
        need(gap <= grown <= gap * LAMPORT_LEAP, "its Lamport time does not fit the one before", "bundle-lamport")
        state = "disputed" if (disputed := entry.seq >= split) else "final" if final else "pending"
        need(self.takes(entry, state), "it is not one that the filter takes", "bundle-filter")
        for key in ["entries", state] + ["droppedBodies"] * entry.dropped + ["disputedFinal"] * (disputed and final):
            log[key] += 1
        times, self.last, self.entries = {entry.time, log["firstMs"], log["lastMs"]} - {None}, entry, self.entries + 1
        log.update(firstMs=min(times), lastMs=max(times))
    def takes(self, entry, state):
        members, kind, study, since, until, wanted = self.filter.values()
        return (entry.author.hex() in (members or [entry.author.hex()]) and study in (None, entry.study)
                and any(f"{entry.kind}.".startswith(f"{one}.") for one in (kind or entry.kind).split(","))
                and wanted in (None, state) and (since or 0) <= entry.time < (TIME_MAX + 1 if until is None else until))
    def end(self, line):
        need([*line.values()][:3] == [len(self.heads), self.forks, self.entries], "other counts", "bundle-count")
        need(line["digest"] == self.hash.hexdigest(), "the digest over all lines before is another", "bundle-digest")
    def name_of(self, key): return next((e.members[key] for e in reversed(self.epochs) if key in e.members), None)
    def log(self, key):
        fresh = {"name": self.name_of(key), "member": key.hex(), "firstMs": None, "lastMs": None, "forkSize": None}
        return self.logs.setdefault(key, {**dict.fromkeys(COUNTS.split(), 0), **fresh})
    def facts(self):
        newest, digest = self.epochs[-1], self.digest.hex()
        of = {"name": self.name, "founding": digest, "fingerprint": " ".join(re.findall("....", digest[:32])),
              "epoch": newest.number, "members": len(newest.members), "quorum": quorum(newest.members)}
        return {"verdict": "good" if self.root else "consistent", "consortium": of, "made": self.made, "by": self.by,
                "filter": self.filter, "heads": len(self.heads), "forks": self.forks, "entries": self.entries,
                "logs": [self.logs[key] for key in sorted(self.logs)]}
def verify(file, root=None):  # `good`, `consistent`, or `wrong` with the code, line and message of the fault
    bundle, number, whole = Bundle(root), 0, True
    try:
        while whole:
            number, whole = number + 1, (line := file.readline(LINE_MAX + 2)).endswith(b"\n")
            if bundle.kind == "end" and not line: return bundle.facts()
            bundle.take(number, line[:-1] if whole else line, whole)
    except Wrong as wrong:
        code, message = wrong.args[0] or f"bundle-{bundle.kind}", wrong.args[1]
        return {"verdict": "wrong", "fault": {"code": code, "line": number, "message": message}}
REPORT = """{name}, fingerprint {fingerprint}; epoch {epoch}: {members} members, final under {quorum} signatures
As it says of itself, made {made} by {by}, with the filter {filter}
No bundle can rule out that entries were left out, that there are later ones or later epochs, or that it is untrue."""
LOG = "{name}: {entries} entries of {size}: {final} final, {pending} pending, {disputed} disputed{forked}"
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file"), parser.add_argument("--root"), parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    root = given.root and re.sub("[ \t]", "", given.root).lower()
    if root is not None and not re.fullmatch(f"[0-9a-f]{{32}}|{HEX}", root): sys.exit("--root: give 32 or 64 digits")
    try:
        file = open(given.file, "rb")
        found = verify(gzip.open(file) if file.peek(2)[:2] == b"\x1f\x8b" else file, root)
    except (OSError, EOFError, zlib.error) as error: sys.exit(f"{given.file}: it cannot be read ({error})")
    if given.json: print(json.dumps(found))
    elif "fault" in found: sys.exit("{}: wrong at line {line}: {message} [{code}]".format(given.file, **found["fault"]))
    else:
        print(f"{given.file}: {found['verdict']}{'' if root else '; identity not checked'}")
        print(REPORT.format(**found, **found["consortium"]))
        for log in found["logs"]: print(LOG.format(**log, forked="; two histories signed" if log["forkSize"] else ""))
    sys.exit({"good": 0, "consistent": 3, "wrong": 1}[found["verdict"]])
if __name__ == "__main__": main()
