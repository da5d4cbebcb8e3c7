// Package workload reads the file that `custody-bench workload` writes.
package workload

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Event is one line, parsed, and the line itself without its end.
type Event struct {
	Line       []byte
	ID         [16]byte
	Time       time.Time
	Kind       string
	Service    string
	Subject    string
	Purpose    string
	Categories []string
	Recipient  string
	Country    string
}

// Read reads every event, or the first so many if limit is not 0.
func Read(path string, limit int) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var events []Event
	for lines := bufio.NewScanner(file); ; {
		if limit != 0 && len(events) == limit || !lines.Scan() {
			if len(events) == 0 {
				return nil, fmt.Errorf("%s has no events", path)
			}
			return events, lines.Err()
		}
		event, err := parse(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, len(events)+1, err)
		}
		events = append(events, event)
	}
}

func parse(line []byte) (Event, error) {
	var fields struct {
		ID         string    `json:"id"`
		Time       time.Time `json:"time"`
		Kind       string    `json:"kind"`
		Service    string    `json:"service"`
		Subject    string    `json:"subject"`
		Purpose    string    `json:"purpose"`
		Categories []string  `json:"categories"`
		Recipient  string    `json:"recipient"`
		Country    string    `json:"country"`
	}
	if err := json.Unmarshal(line, &fields); err != nil {
		return Event{}, err
	}
	event := Event{
		Line:       append([]byte(nil), line...),
		Time:       fields.Time,
		Kind:       fields.Kind,
		Service:    fields.Service,
		Subject:    fields.Subject,
		Purpose:    fields.Purpose,
		Categories: fields.Categories,
		Recipient:  fields.Recipient,
		Country:    fields.Country,
	}
	if n, err := hex.Decode(event.ID[:], []byte(fields.ID)); err != nil || n != len(event.ID) {
		return Event{}, fmt.Errorf("the id %q is not 32 hexadecimal digits", fields.ID)
	}
	return event, nil
}
