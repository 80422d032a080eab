package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
	"authbridge/agent/inventory"
)

// BenchmarkStatus asks status and readiness beside a bare net/http handler
// that answers the same bytes, in one run, so that the ratio means something
// on any machine. The client is raw and keeps its connection: it measures the
// server.
func BenchmarkStatus(b *testing.B) {
	s := apitest.Start(b, apitest.Options{})
	var o inventory.Observation
	for n := range 6 {
		o.Cards = append(o.Cards, apitest.Card("card-"+strconv.Itoa(n), "Quillfeather Testina", "55501234567"+strconv.Itoa(n)))
		o.Keys = append(o.Keys, apitest.Key("key-"+strconv.Itoa(n)))
	}
	s.Observe(b, o)
	body := s.Inventory.Encoded(false)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	bare := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	go func() { _ = bare.Serve(l) }()
	defer bare.Close()

	secret := s.Token(b, contract.RightRead)
	api := strings.TrimPrefix(s.URL, "http://")
	for _, c := range []struct{ name, network, address, target string }{
		{"bare", "tcp", l.Addr().String(), "/"},
		{"status", "tcp", api, "/v1/status"},
		{"readiness", "tcp", api, "/v1/readiness?aal=3&target=mock"},
		{"status-socket", "unix", s.Socket, "/v1/status"},
	} {
		b.Run(c.name, func(b *testing.B) {
			host := c.address
			if c.network == "unix" {
				host = "localhost"
			}
			request := []byte("GET " + c.target + " HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer " + secret + "\r\n\r\n")
			conn, err := net.Dial(c.network, c.address)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r := bufio.NewReaderSize(conn, 64<<10)
			took := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				if err := exchange(conn, r, request); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// exchange sends a request and reads the answer to its end.
func exchange(w io.Writer, r *bufio.Reader, request []byte) error {
	if _, err := w.Write(request); err != nil {
		return err
	}
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.Contains(status, []byte(" 200 ")) {
		return fmt.Errorf("answered %q", status)
	}
	length, chunked := 0, false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if rest, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(rest))); err != nil {
				return err
			}
		}
		chunked = chunked || bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked"))
	}
	for chunked {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := r.Discard(int(n) + 2); err != nil {
			return err
		}
		chunked = n > 0
	}
	_, err = r.Discard(length)
	return err
}
