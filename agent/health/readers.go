package health

import (
	"fmt"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// busy is how long another program may have a card before its check says so:
// programs that look at a card every second are no news.
const busy = 2 * time.Second

func readerRules() []Rule {
	return []Rule{
		{Code: failure.ReaderDriver, Scope: OfReader, judge: readerDriver},
		{Code: failure.CardPresent, Scope: OfReader, TimeToVisible: busy, judge: readerCard},
	}
}

func readerDriver(s subject) finding {
	r := s.reader
	switch {
	case r.Condition == contract.Unavailable:
		return fail(because("the reader is in error", r.Detail))
	case r.Origin != contract.Physical:
		return pass("a virtual reader needs no driver")
	}
	return unknown("the smartcard service does not tell which driver serves the reader")
}

// readerCard says what is in a reader. An empty one is no failure: another may
// hold the card.
func readerCard(s subject) finding {
	r := s.reader
	if f, down := whileDown(s.facts, r.Source); down {
		return f
	}
	switch r.Condition {
	case contract.Empty:
		if r.Origin != contract.Physical {
			// There are as many as anybody wants: nothing is missing.
			return waits("waits for a card: the virtual reader is empty")
		}
		return warn("the reader is empty")
	case contract.Unavailable, contract.Forbidden:
		return unknown(because("the reader is "+string(r.Condition), r.Detail))
	}
	return cardCondition(r.Condition, r.Code, r.Detail)
}

// whileDown: nothing is known of what a source saw before it went down.
func whileDown(f *Facts, name string) (finding, bool) {
	s, ok := f.source(name)
	if !ok || s.State == "up" || s.State == "starting" {
		return finding{}, false
	}
	return waits(fmt.Sprintf("waits for the source %s, which is %s", s.Name, s.State)), true
}

// cardCondition judges a card that is in a reader. code and text are the
// source's own for the condition.
func cardCondition(c contract.Condition, code, text string) finding {
	word := func(usual failure.Code) failure.Code {
		return said(code, failure.CardPresent, contract.Smartcard, usual)
	}
	switch c {
	case contract.Ready:
		return pass("the card answers")
	case contract.Present:
		return unknown("the card is there and was not read yet").as(failure.NotRead)
	case contract.InUse:
		return warn(because("another program has the card", text)).as(word(failure.CardInUse))
	case contract.Mute:
		return fail(because("the card does not answer its reader", text)).as(word(failure.CardMute))
	case contract.Hung:
		return fail(because("the card stopped answering", text)).as(word(failure.CardHung))
	case contract.Empty:
		return fail("the card was taken out").as(word(failure.CardGone))
	}
	return fail(because("the card does not answer as it must", text)).as(word(failure.CardUnreadable))
}

// because says a cause in plain words, then what the system said of it, unless
// that is the same.
func because(cause, detail string) string {
	if detail == "" || strings.Contains(cause, detail) {
		return cause
	}
	return cause + ": " + detail
}
