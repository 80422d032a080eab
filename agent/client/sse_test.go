package client

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func read(stream string) (got []message, lines int, err error) {
	err = readStream(strings.NewReader(stream), func() { lines++ }, func(m message) error {
		got = append(got, m)
		return nil
	})
	return got, lines, err
}

func TestStreamsAreReadAsTheStandardSays(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		want   string
	}{
		"one":                       {"id: a-1\nevent: x\ndata: {}\n\n", "[{a-1 x {}}]"},
		"CRLF":                      {"id: a-1\r\nevent: x\r\ndata: {}\r\n\r\n", "[{a-1 x {}}]"},
		"comments are passed over":  {": heartbeat\n\nid: a-1\ndata: {}\n\n", "[{a-1  {}}]"},
		"several lines of data":     {"data: a\ndata: b\n\n", "[{  a\nb}]"},
		"no space after the colon":  {"data:a\n\n", "[{  a}]"},
		"unknown fields, no data":   {"retry: 5\nid: a-2\n\nwhat\n\n", "[]"},
		"unfinished is dropped":     {"data: a\n\nid: a-3\ndata: b\n", "[{  a}]"},
		"unfinished line, too":      {"data: a\n\ndata: b", "[{  a}]"},
		"an id with NUL is no id":   {"id: a\x00b\ndata: a\n\n", "[{  a}]"},
		"the id is of this message": {"id: a-1\ndata: a\n\ndata: b\n\n", "[{a-1  a} {  b}]"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := read(c.stream)
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if text := printed(got); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}

func printed(messages []message) string {
	parts := make([]string, len(messages))
	for i, m := range messages {
		parts[i] = fmt.Sprintf("{%s %s %s}", m.id, m.kind, m.data)
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func TestALineWithoutEndIsRefused(t *testing.T) {
	_, _, err := read("data: " + strings.Repeat("a", maxLine+1) + "\n\n")
	if !errors.Is(err, errLine) {
		t.Fatalf("got %v", err)
	}
}

func FuzzReadStream(f *testing.F) {
	f.Add("id: a-1\nevent: snapshot\ndata: {}\n\n: heartbeat\n\n")
	f.Add("data\ndata:\n\nid\r\n\r\n")
	f.Fuzz(func(t *testing.T, stream string) {
		messages, _, err := read(stream)
		if err == nil {
			t.Fatal("a stream ended without saying so")
		}
		for _, m := range messages {
			_, _, _ = m.event()
		}
		// What is read before a cut is what is read without it.
		if half, _, _ := read(stream[:len(stream)/2]); len(half) > len(messages) {
			t.Fatalf("%d messages in half of it, %d in all", len(half), len(messages))
		}
	})
}
