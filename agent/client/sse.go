package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is far above any snapshot.
const maxLine = 16 << 20

var errLine = errors.New("a line of the event stream is too long")

// message is one event of a stream (HTML, server-sent events, section 9.2.6).
type message struct {
	id, kind string
	data     []byte
}

// readStream reads messages until the stream ends. alive is called at each
// line, comments included. A message that is not complete when the stream
// ends is dropped, as the standard says: the stream is taken up before it.
func readStream(r io.Reader, alive func(), tell func(message) error) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	var m message
	var some bool
	for {
		line, err := readLine(lines)
		if err != nil {
			return err
		}
		alive()
		if len(line) == 0 {
			if some {
				if err := tell(m); err != nil {
					return err
				}
			}
			m, some = message{}, false
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			if !bytes.Contains(value, []byte{0}) {
				m.id = string(value)
			}
		case "event":
			m.kind = string(value)
		case "data":
			if some {
				m.data = append(m.data, '\n')
			}
			if len(m.data)+len(value) > maxLine {
				return errLine
			}
			m.data = append(m.data, value...)
			some = true
		}
	}
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, errLine
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, err
		default:
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		}
	}
}
