package health

import (
	"fmt"
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
		return fail("the reader is in error" + detail(r.Detail))
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
		return warn("the reader is empty")
	case contract.Unavailable, contract.Forbidden:
		return unknown("the reader is " + string(r.Condition) + detail(r.Detail))
	}
	return cardCondition(r.Condition, r.Code, r.Detail)
}

// whileDown: nothing is known of what a source saw before it went down.
func whileDown(f *Facts, name string) (finding, bool) {
	s, ok := f.source(name)
	if !ok || s.State == "up" || s.State == "starting" {
		return finding{}, false
	}
	return unknown(fmt.Sprintf("waits for the source %s, which is %s", s.Name, s.State)), true
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
		return warn("another program has the card" + detail(text)).as(word(failure.CardInUse))
	case contract.Mute:
		return fail("the card does not answer its reader" + detail(text)).as(word(failure.CardMute))
	case contract.Hung:
		return fail("the card stopped answering" + detail(text)).as(word(failure.CardHung))
	case contract.Empty:
		return fail("the card was taken out").as(word(failure.CardGone))
	}
	return fail("the card does not answer as it must" + detail(text)).as(word(failure.CardUnreadable))
}

func detail(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
