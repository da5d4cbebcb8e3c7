// Reads and writes notes and checkpoints with the Go implementations that
// witnesses and monitors use, for tests/proof/go.rs.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	tlog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	args := os.Args[2:]
	input := must(io.ReadAll(os.Stdin))
	switch os.Args[1] {
	// sign KEY...: the note of a text.
	case "sign":
		var signers []note.Signer
		for _, key := range args {
			signers = append(signers, must(note.NewSigner(key)))
		}
		text := &note.Note{Text: string(input)}
		fmt.Print(string(must(note.Sign(text, signers...))))
	// open KEY...: the text of a note, and its signers.
	case "open":
		var verifiers []note.Verifier
		for _, key := range args {
			verifiers = append(verifiers, must(note.NewVerifier(key)))
		}
		opened := must(note.Open(input, note.VerifierList(verifiers...)))
		fmt.Print(opened.Text)
		for _, signature := range opened.Sigs {
			fmt.Println(signature.Name)
		}
	// cosign KEY: a checkpoint with a cosignature.
	case "cosign":
		signer := must(fnote.NewSignerForCosignatureV1(args[0]))
		unverified := must(note.Open(input, note.VerifierList(must(note.NewVerifier(args[1])))))
		fmt.Print(string(must(note.Sign(unverified, signer))))
	// checkpoint ORIGIN KEY WITNESS: what a cosigned checkpoint says.
	case "checkpoint":
		key := must(note.NewVerifier(args[1]))
		witness := must(fnote.NewVerifierForCosignatureV1(args[2]))
		checkpoint, rest, opened, err := tlog.ParseCheckpoint(input, args[0], key, witness)
		if err != nil {
			log.Fatal(err)
		}
		time := must(fnote.CoSigV1Timestamp(opened.Sigs[1]))
		fmt.Printf("%s %d %x %d\n%s", checkpoint.Origin, checkpoint.Size, checkpoint.Hash, time.Unix(), rest)
	// consistency: of two sizes and roots and a path, a line each.
	case "consistency":
		var from, to uint64
		var roots [2][]byte
		var path [][]byte
		must(fmt.Sscanf(args[0], "%d", &from))
		must(fmt.Sscanf(args[1], "%d", &to))
		must(fmt.Sscanf(args[2], "%x", &roots[0]))
		must(fmt.Sscanf(args[3], "%x", &roots[1]))
		for _, hash := range args[4:] {
			var bytes []byte
			must(fmt.Sscanf(hash, "%x", &bytes))
			path = append(path, bytes)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, to, path, roots[0], roots[1]); err != nil {
			log.Fatal(err)
		}
		fmt.Println("consistent")
	default:
		log.Fatalf("no such command: %s", os.Args[1])
	}
}
