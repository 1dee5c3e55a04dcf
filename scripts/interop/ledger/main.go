// Reads logs made by Consilium with Go's transparency-log packages: each head is opened by sumdb/note, and its root computed by
// sumdb/tlog; cosignatures and tlog-proofs (proofs.go) are read by transparency-dev/formats. Prints one line per fault, then how many were checked; exit code 1 where one differs.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A log as scripts/interop/ledger.ts writes it: headers in base64, the signed head over all of them, and its key as a note verifier's.
type logFile struct {
	Name    string   `json:"name"`
	Key     string   `json:"key"`
	Note    string   `json:"note"`
	Headers []string `json:"headers"`
	Refused bool     `json:"refused"` // it was spoilt on purpose
}

func check(log logFile) error {
	verifier, err := note.NewVerifier(log.Key)
	if err != nil {
		return err
	}
	opened, err := note.Open([]byte(log.Note), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != 0 {
		return fmt.Errorf("%d valid and %d unknown signatures, 1 and 0 expected", len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[1] != fmt.Sprint(len(log.Headers)) {
		return fmt.Errorf("text %q: origin, size %d and root expected", opened.Text, len(log.Headers))
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for n, text := range log.Headers {
		header, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		hashes, err := tlog.StoredHashes(int64(n), header, reader)
		if err != nil {
			return err
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(int64(len(log.Headers)), reader)
	if err != nil {
		return err
	}
	if root.String() != lines[2] {
		return fmt.Errorf("root %s computed, %s signed", root, lines[2])
	}
	return nil
}

func main() {
	bytes, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var given struct {
		Logs   []logFile   `json:"logs"`
		Proofs []proofFile `json:"proofs"`
	}
	if err := json.Unmarshal(bytes, &given); err != nil {
		panic(err)
	}
	var tally verdicts
	for _, log := range given.Logs {
		tally.add(log.Name, log.Refused, check(log))
	}
	fmt.Printf("%d logs read, %d of them refused as they should be, %d faults\n", len(given.Logs), tally.refused, tally.faults)
	var proofs verdicts
	for _, file := range given.Proofs {
		proofs.add(file.Name, file.Refused, file.check())
	}
	fmt.Printf("%d cosigned proofs read, %d of them refused as they should be, %d faults\n", len(given.Proofs), proofs.refused, proofs.faults)
	if tally.faults+proofs.faults > 0 || len(given.Logs) == 0 || len(given.Proofs) == 0 {
		os.Exit(1)
	}
}

type verdicts struct{ refused, faults int }

func (tally *verdicts) add(name string, refused bool, err error) {
	if refused && err != nil {
		tally.refused++
	}
	if (err != nil) != refused {
		fmt.Printf("%s: %v, refusal expected: %v\n", name, err, refused)
		tally.faults++
	}
}
