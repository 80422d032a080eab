package contract

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// EventID is the EPOCH-SEQ of an event or a snapshot. Ids are ordered: a new
// epoch begins at each start of the daemon and is greater than those before;
// within an epoch the sequence counts events from 1, without holes. A snapshot
// made before the first event of its epoch has sequence 0.
type EventID struct {
	Epoch uint64
	Seq   uint64
}

// String writes the id as it crosses the API: the epoch in base 36, the
// sequence in decimal.
func (id EventID) String() string {
	return strconv.FormatUint(id.Epoch, 36) + "-" + strconv.FormatUint(id.Seq, 10)
}

// Compare orders ids as they happened.
func (id EventID) Compare(other EventID) int {
	return cmp.Or(cmp.Compare(id.Epoch, other.Epoch), cmp.Compare(id.Seq, other.Seq))
}

// ParseEventID reads an id in exactly the form that String writes.
func ParseEventID(text string) (EventID, error) {
	// The length is checked first so that an error never repeats a long input.
	if len(text) > 40 {
		return EventID{}, fmt.Errorf("event id of %d characters, want EPOCH-SEQ", len(text))
	}
	epoch, seq, _ := strings.Cut(text, "-")
	e, errEpoch := strconv.ParseUint(epoch, 36, 63)
	s, errSeq := strconv.ParseUint(seq, 10, 63)
	id := EventID{Epoch: e, Seq: s}
	if errEpoch != nil || errSeq != nil || id.String() != text {
		return EventID{}, fmt.Errorf("event id %q, want EPOCH-SEQ", text)
	}
	return id, nil
}
