package assurance

import (
	"strconv"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// summarise says the verdict in one sentence for a person.
func summarise(q contract.Question, c *candidate) string {
	with := " with " + c.Name + " (" + string(origin(c.Authenticator)) + " " + noun(c.Kind) + ")"
	switch c.outcome {
	case contract.VerdictReady:
		return "Ready for " + aim(q) + with + "."
	case contract.VerdictUnproven:
		return "Not proven for " + aim(q) + with + ": " + because(c.reason) + "."
	}
	return "Not ready for " + aim(q) + with + ": " + because(c.reason) + "."
}

func summariseAbsent(q contract.Question, t tally) string {
	switch t.outcome {
	case contract.VerdictReady:
		return "Ready for " + aim(q) + " with " + noun(q.Kind) + "."
	case contract.VerdictUnproven:
		return "Not known for " + aim(q) + ": " + because(t.reason) + "."
	}
	switch failure.Code(t.reason.Code) {
	case failure.VirtualNotCounted:
		return "Not ready for " + aim(q) + ": only virtual authenticators are here, and they never count for a real target."
	case failure.NoAuthenticator:
		return "Not ready for " + aim(q) + ": no " + plural(q) + " is here."
	}
	return "Not ready for " + aim(q) + ": " + because(t.reason) + "."
}

// because quotes what was seen. The title of a check says what it is about,
// often as if all were well, and would contradict the evidence of a failure.
func because(c contract.Check) string {
	title := c.Title
	if title == "" {
		title = c.Code
	}
	switch c.Evidence {
	case health.NotChecked:
		return "“" + title + "” is " + c.Evidence
	case "":
		return "“" + title + "” is not as it must be"
	}
	return c.Evidence
}

func aim(q contract.Question) string {
	return "AAL" + strconv.Itoa(q.AAL) + " at " + q.Target
}

func origin(a *contract.Authenticator) contract.Origin {
	if a.Origin == contract.Physical {
		return contract.Physical
	}
	return contract.Virtual
}

func noun(k contract.Kind) string {
	switch k {
	case contract.Smartcard:
		return "smartcard"
	case contract.SecurityKey:
		return "security key"
	case contract.Platform:
		return "Windows Hello"
	case contract.TOTP:
		return "authenticator app"
	}
	return "authenticator"
}

func plural(q contract.Question) string {
	if q.Kind == "" {
		return "authenticator"
	}
	return noun(q.Kind)
}
