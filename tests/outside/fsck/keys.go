package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// algEd25519 is the signature type of a log's key (C2SP signed-note).
const algEd25519 = 1

// key is a verifier key as it was given.
type key struct {
	name string
	text string
}

// keyFlag collects -key flags.
type keyFlag []key

func (k *keyFlag) String() string { return fmt.Sprintf("%d keys", len(*k)) }

// Set implements flag.Value.
func (k *keyFlag) Set(value string) error {
	lines := []string{value}
	if path, ok := strings.CutPrefix(value, "@"); ok {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines = strings.Split(string(text), "\n")
	}
	for _, line := range lines {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		verifier, err := f_note.NewVerifier(line)
		if err != nil {
			return fmt.Errorf("not a verifier key: %w", err)
		}
		*k = append(*k, key{verifier.Name(), line})
	}
	return nil
}

// verifier finds the key of an origin. A ledger signs for itself and for its
// shards with one Ed25519 key under their several names, so the ledger's key
// also answers for an origin below its own name.
func (k keyFlag) verifier(origin string) (note.Verifier, error) {
	for _, key := range k {
		if key.name == origin {
			return note.NewVerifier(key.text)
		}
	}
	for _, key := range k {
		if text, ok := key.below(origin); ok {
			return note.NewVerifier(text)
		}
	}
	return nil, unaskable{fmt.Errorf("no key for the origin %q", origin)}
}

// below is a log's key under the name of an origin below its own; false if it
// is not a log's key, or the origin is not below.
func (k key) below(origin string) (string, bool) {
	if !strings.HasPrefix(origin, k.name+"/") {
		return "", false
	}
	parts := strings.SplitN(k.text, "+", 3)
	public, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(public) == 0 || public[0] != algEd25519 {
		return "", false
	}
	text, err := note.NewEd25519VerifierKey(origin, public[1:])
	return text, err == nil
}

// read is os.ReadFile, where - is the standard input.
func read(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, unaskable{err}
	}
	return text, nil
}

// firstLine of a checkpoint is its origin.
func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}

// readCheckpoint reads and verifies a checkpoint of an origin; of whichever it
// names if origin is empty.
func readCheckpoint(path string, keys keyFlag, origin string) (*f_log.Checkpoint, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	if origin == "" {
		origin = firstLine(text)
	}
	verifier, err := keys.verifier(origin)
	if err != nil {
		return nil, err
	}
	checkpoint, _, _, err := f_log.ParseCheckpoint(text, origin, verifier)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return checkpoint, nil
}

// printNote verifies a note against every key and prints its text, and who
// signed it.
func printNote(out io.Writer, path string, keys keyFlag) error {
	text, err := read(path)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return unaskable{errors.New("note: no key was given")}
	}
	verifiers := make([]note.Verifier, 0, len(keys))
	for _, key := range keys {
		vkey := key.text
		if below, ok := key.below(firstLine(text)); ok {
			vkey = below
		}
		verifier, err := f_note.NewVerifier(vkey)
		if err != nil {
			return unaskable{err}
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	type signer struct {
		name string
		hash uint32
	}
	signers := map[signer]bool{}
	for _, signature := range opened.Sigs {
		signers[signer{signature.Name, signature.Hash}] = true
	}
	for _, verifier := range verifiers {
		if !signers[signer{verifier.Name(), verifier.KeyHash()}] {
			return fmt.Errorf("%s: not signed by %s+%08x", path, verifier.Name(), verifier.KeyHash())
		}
	}
	for lines := bufio.NewScanner(strings.NewReader(opened.Text)); lines.Scan(); {
		fmt.Fprintln(out, " ", lines.Text())
	}
	for _, signature := range opened.Sigs {
		fmt.Fprintf(out, "ok %s+%08x\n", signature.Name, signature.Hash)
	}
	return nil
}
