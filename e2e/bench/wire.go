package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// wire is a raw connection for HTTP that is kept open. It costs less than a
// client of net/http, so it measures the server.
type wire struct {
	conn  net.Conn
	r     *bufio.Reader
	host  string
	token string
}

func dial(address, token string) (*wire, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, r: bufio.NewReaderSize(conn, 32<<10), host: address, token: token}, nil
}

func (d *daemon) dial(h *harness) *wire {
	w, err := dial(d.address, d.token)
	h.must(err)
	h.Cleanup(w.close)
	return w
}

func (w *wire) close() { _ = w.conn.Close() }

func (w *wire) request(method, target, body string) []byte {
	text := method + " " + target + " HTTP/1.1\r\nHost: " + w.host + "\r\nAuthorization: Bearer " + w.token + "\r\n"
	if body != "" {
		text += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return []byte(text + "\r\n" + body)
}

// get asks and gives the body, and how long it took to its last octet.
func (w *wire) get(target string) ([]byte, time.Duration, error) {
	return w.send(w.request(http.MethodGet, target, ""))
}

func (w *wire) send(request []byte) (body []byte, took time.Duration, err error) {
	began := time.Now()
	_ = w.conn.SetDeadline(began.Add(patience))
	if _, err := w.conn.Write(request); err != nil {
		return nil, 0, err
	}
	status, length, err := w.head()
	if err != nil {
		return nil, 0, err
	}
	if length >= 0 {
		body = make([]byte, length)
		_, err = io.ReadFull(w.r, body)
	} else {
		body, err = w.chunks()
	}
	took = time.Since(began)
	if err == nil && !bytes.HasPrefix(status, []byte("HTTP/1.1 2")) {
		err = fmt.Errorf("%s: answered %s %s", bytes.SplitN(request, []byte("\r\n"), 2)[0], bytes.TrimSpace(status), body)
	}
	return body, took, err
}

// head reads the head of an answer. A length of -1 is chunks.
func (w *wire) head() (status []byte, length int, err error) {
	line, err := w.r.ReadSlice('\n')
	if err != nil {
		return nil, 0, err
	}
	status = bytes.Clone(line)
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return nil, 0, err
		}
		if len(line) <= 2 {
			return status, length, nil
		}
		if rest, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(rest))); err != nil {
				return nil, 0, err
			}
		} else if bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked")) {
			length = -1
		}
	}
}

func (w *wire) chunks() (body []byte, err error) {
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return nil, err
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(w.r, chunk); err != nil {
			return nil, err
		}
		if n == 0 {
			return body, nil
		}
		body = append(body, chunk[:n]...)
	}
}

// stream is an API client that reads events.
type stream struct {
	conn net.Conn
	r    *bufio.Reader
}

// message is the head of an event as it came.
type message struct {
	id, kind string
	at       time.Time
}

// subscribe opens an event stream; HTTP/1.0 saves the chunks.
func (d *daemon) subscribe() (*stream, error) {
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		return nil, err
	}
	s := &stream{conn: conn, r: bufio.NewReaderSize(conn, 4<<10)}
	request := "GET /v1/events HTTP/1.0\r\nHost: " + d.address + "\r\nAuthorization: Bearer " + d.token + "\r\n\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		return nil, err
	}
	status, err := s.line()
	if err == nil && !strings.Contains(status, " 200 ") {
		err = fmt.Errorf("the event stream was answered %q", status)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *stream) close() { _ = s.conn.Close() }

// line reads a line; of a long one only the beginning is given.
func (s *stream) line() (string, error) {
	line, err := s.r.ReadSlice('\n')
	text := string(line[:min(len(line), 200)])
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = s.r.ReadSlice('\n')
	}
	return strings.TrimRight(text, "\r\n"), err
}

// next waits for the next event. Its time is when its head was read.
func (s *stream) next() (m message, err error) {
	for {
		line, err := s.line()
		if err != nil {
			return m, err
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			m.id, m.at = id, time.Now()
		} else if kind, ok := strings.CutPrefix(line, "event: "); ok {
			m.kind = kind
			if m.id == "" {
				m.at = time.Now()
			}
		} else if line == "" && m.kind != "" {
			return m, nil
		}
	}
}
