package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// An entry's tlog-proof and the growth of its log up to it, as scripts/interop/ledgerProofs.ts writes them.
type proofFile struct {
	Name        string    `json:"name"`
	Key         string    `json:"key"`         // the author's, as a note verifier's
	Witnesses   []witness `json:"witnesses"`   // who must have cosigned both heads, and no one else
	Header      string    `json:"header"`      // of the entry: what is hashed as its leaf, in base64
	Proof       string    `json:"proof"`       // the tlog-proof
	Older       string    `json:"older"`       // a cosigned head of the same log before it
	Consistency []string  `json:"consistency"` // from the older head to that in the proof, in base64
	Refused     bool      `json:"refused"`     // it was spoilt on purpose
}

type witness struct {
	Key   string   `json:"key"`   // cosignature/v1, type 4
	Times [2]int64 `json:"times"` // when it cosigned the older head, and the newer
}

// Opens a cosigned head: the author's signature and exactly one of each witness, at the expected time.
func (file proofFile) open(checkpoint []byte, which int) (*log.Checkpoint, error) {
	author, err := note.NewVerifier(file.Key)
	if err != nil {
		return nil, err
	}
	var cosigners []note.Verifier
	times := map[string]int64{}
	for _, one := range file.Witnesses {
		verifier, err := fnote.NewVerifierForCosignatureV1(one.Key)
		if err != nil {
			return nil, err
		}
		if hash := strings.Split(one.Key, "+")[1]; hash != fmt.Sprintf("%08x", verifier.KeyHash()) {
			return nil, fmt.Errorf("key hash %s of %s, %08x computed", hash, verifier.Name(), verifier.KeyHash())
		}
		cosigners = append(cosigners, verifier)
		times[verifier.Name()] = one.Times[which]
	}
	read, rest, opened, err := log.ParseCheckpoint(checkpoint, author.Name(), author, cosigners...)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 || len(opened.Sigs) != 1+len(cosigners) || len(opened.UnverifiedSigs) != 0 {
		return nil, fmt.Errorf("%d valid and %d unknown signatures, %d and 0 expected", len(opened.Sigs), len(opened.UnverifiedSigs), 1+len(cosigners))
	}
	for _, sig := range opened.Sigs {
		if sig.Name == author.Name() {
			continue
		}
		at, err := fnote.CoSigV1Timestamp(sig)
		if err != nil {
			return nil, err
		}
		if at.Unix() != times[sig.Name] {
			return nil, fmt.Errorf("%s cosigned at %d, %d expected", sig.Name, at.Unix(), times[sig.Name])
		}
	}
	return read, nil
}

func (file proofFile) check() error {
	var read proof.TLogProof
	if err := read.Unmarshal([]byte(file.Proof)); err != nil {
		return err
	}
	if !bytes.Equal(read.Marshal(), []byte(file.Proof)) {
		return fmt.Errorf("written again, the tlog-proof has other bytes")
	}
	newer, err := file.open(read.Checkpoint, 1)
	if err != nil {
		return fmt.Errorf("newer head: %w", err)
	}
	header, err := base64.StdEncoding.DecodeString(file.Header)
	if err != nil {
		return err
	}
	path := make(tlog.RecordProof, len(read.Hashes))
	for i, hash := range read.Hashes {
		path[i] = tlog.Hash(hash)
	}
	if err := tlog.CheckRecord(path, int64(newer.Size), tlog.Hash(newer.Hash), int64(read.Index), tlog.RecordHash(header)); err != nil {
		return err
	}
	older, err := file.open([]byte(file.Older), 0)
	if err != nil {
		return fmt.Errorf("older head: %w", err)
	}
	growth := make(tlog.TreeProof, len(file.Consistency))
	for i, text := range file.Consistency {
		if growth[i], err = tlog.ParseHash(text); err != nil {
			return err
		}
	}
	return tlog.CheckTree(growth, int64(newer.Size), tlog.Hash(newer.Hash), int64(older.Size), tlog.Hash(older.Hash))
}
