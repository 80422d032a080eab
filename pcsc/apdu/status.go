package apdu

import "fmt"

// Status is a status word, SW1-SW2 (ISO 7816-4, 5.6). As an error it is the
// cause of a [StatusError].
type Status uint16

// The status words of ISO 7816-4, tables 6 and 7, that callers tell apart.
const (
	SWSuccess                Status = 0x9000
	SWMoreData               Status = 0x6100 // SW2: how many; 00: 256 or more
	SWTries                  Status = 0x63C0 // low nibble: further tries
	SWMemoryFailure          Status = 0x6581
	SWWrongLength            Status = 0x6700
	SWNoLogicalChannel       Status = 0x6881
	SWNoSecureMessaging      Status = 0x6882
	SWLastOfChainExpected    Status = 0x6883
	SWNoChaining             Status = 0x6884
	SWSecurityNotSatisfied   Status = 0x6982
	SWAuthenticationBlocked  Status = 0x6983
	SWConditionsNotSatisfied Status = 0x6985
	SWWrongData              Status = 0x6A80
	SWFunctionNotSupported   Status = 0x6A81
	SWNotFound               Status = 0x6A82
	SWWrongP1P2              Status = 0x6A86
	SWReferenceNotFound      Status = 0x6A88
	SWWrongLe                Status = 0x6C00 // SW2: the right one
	SWNoInstruction          Status = 0x6D00
	SWNoClass                Status = 0x6E00
	SWUnknown                Status = 0x6F00
)

// Meaning is what ISO 7816-4 says of a status word, "" if that is nothing or is
// not known here.
func (s Status) Meaning() string {
	if n, ok := s.Tries(); ok {
		return fmt.Sprintf("wrong, tries left: %d", n)
	}
	if n, ok := s.MoreData(); ok {
		return fmt.Sprintf("%d more octets", n)
	}
	switch s {
	case SWSuccess:
		return "success"
	case SWMemoryFailure:
		return "memory failure"
	case SWWrongLength:
		return "wrong length"
	case SWNoLogicalChannel:
		return "logical channel not supported"
	case SWNoSecureMessaging:
		return "secure messaging not supported"
	case SWLastOfChainExpected:
		return "last command of the chain expected"
	case SWNoChaining:
		return "command chaining not supported"
	case SWSecurityNotSatisfied:
		return "security status not satisfied"
	case SWAuthenticationBlocked:
		return "authentication method blocked"
	case SWConditionsNotSatisfied:
		return "conditions of use not satisfied"
	case SWWrongData:
		return "incorrect parameters in the data"
	case SWFunctionNotSupported:
		return "function not supported"
	case SWNotFound:
		return "file or application not found"
	case SWWrongP1P2:
		return "incorrect P1-P2"
	case SWReferenceNotFound:
		return "referenced data not found"
	case SWNoInstruction:
		return "instruction not supported"
	case SWNoClass:
		return "class not supported"
	case SWUnknown:
		return "no precise diagnosis"
	}
	if s&0xFF00 == SWWrongLe {
		return "wrong Le"
	}
	return ""
}

// String is four hex digits.
func (s Status) String() string { return fmt.Sprintf("%04X", uint16(s)) }

// Error is four hex digits as well, so that a status word is printed as one
// whatever it is printed as. [StatusError] adds the meaning.
func (s Status) Error() string { return s.String() }

// Is makes SWTries, SWMoreData and SWWrongLe stand for their whole families.
func (s Status) Is(target error) bool {
	switch target {
	case SWTries:
		return s&0xFFF0 == SWTries
	case SWMoreData:
		return s&0xFF00 == SWMoreData
	case SWWrongLe:
		return s&0xFF00 == SWWrongLe
	}
	return false
}

// Tries is the count in 63Cx.
func (s Status) Tries() (int, bool) {
	return int(s & 0x0F), s&0xFFF0 == SWTries
}

// MoreData is the count in 61xx.
func (s Status) MoreData() (int, bool) {
	return shortLe(byte(s)), s&0xFF00 == SWMoreData
}

// rightLe is the count in 6Cxx.
func (s Status) rightLe() (int, bool) {
	return shortLe(byte(s)), s&0xFF00 == SWWrongLe
}

// valid is what ISO 7816-4, 5.6 allows: 6XXX but for 60XX, and 9XXX.
func (s Status) valid() bool {
	return s>>12 == 0x6 && s>>8 != 0x60 || s>>12 == 0x9
}

// StatusError is a command that the card did not answer with 9000. errors.Is
// finds the status word:
//
//	errors.Is(err, apdu.SWNotFound)
type StatusError struct {
	INS byte // of the command
	SW  Status
}

func (e *StatusError) Error() string {
	text := Instruction(e.INS) + ": " + e.SW.String()
	if meaning := e.SW.Meaning(); meaning != "" {
		text += " (" + meaning + ")"
	}
	return text
}

// Unwrap makes the status word the cause.
func (e *StatusError) Unwrap() error { return e.SW }

// Instruction is the name of an instruction, or its number.
func Instruction(ins byte) string {
	switch ins {
	case insVerify:
		return "VERIFY"
	case insChangeReferenceData:
		return "CHANGE REFERENCE DATA"
	case insResetRetryCounter:
		return "RESET RETRY COUNTER"
	case insGeneralAuthenticate:
		return "GENERAL AUTHENTICATE"
	case insSelect:
		return "SELECT"
	case insGetResponse:
		return "GET RESPONSE"
	case insGetData, insGetData2:
		return "GET DATA"
	}
	return fmt.Sprintf("instruction %02X", ins)
}
