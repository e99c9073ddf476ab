package flights

import (
	"encoding/json"

	"banyan/modules/kernel/errs"
)

// PublishedSeatMap is a seat map as it was checked and stored. It never changes, and is
// passed on as the text that it is.
type PublishedSeatMap struct {
	Configuration string
	JSON          json.RawMessage
}

// Map reads the text. errs: Internal.
func (p PublishedSeatMap) Map() (SeatMap, error) {
	m := SeatMap{Configuration: p.Configuration}
	if err := json.Unmarshal(p.JSON, &m); err != nil {
		return m, errs.E(errs.Internal, "the seat map of %s cannot be read", p.Configuration).Because(err)
	}
	return m, nil
}

// SeatMap is an aircraft's geometry in the Sabre/OTA style of the book's service.
type SeatMap struct {
	// Configuration names the geometry and its version; it is an ETag, not in the JSON.
	Configuration string         `json:"-"`
	Cabin         []SeatMapCabin `json:"Cabin"`
}

// SeatMapCabin is a block of rows of one class.
type SeatMapCabin struct {
	FirstRow   int             `json:"firstRow"`
	LastRow    int             `json:"lastRow"`
	Wing       *SeatMapWing    `json:"Wing,omitempty"`
	CabinClass SeatMapClass    `json:"CabinClass"`
	Column     []SeatMapColumn `json:"Column"`
	Row        []SeatMapRow    `json:"Row"`
}

// SeatMapWing says which rows are over the wing.
type SeatMapWing struct {
	FirstRow int `json:"firstRow"`
	LastRow  int `json:"lastRow"`
}

// SeatMapClass names the class: Economy, PremiumEconomy, Business, First.
type SeatMapClass struct {
	CabinType string `json:"CabinType"`
}

// SeatMapColumn is a letter and what it is: at a Window, at an Aisle, in the
// CenterSection between the two aisles of a wide-body, or none of them. Neighbouring
// columns that are both at an Aisle have it between them, unless both are in the
// CenterSection.
type SeatMapColumn struct {
	Column          string   `json:"Column"`
	Characteristics []string `json:"Characteristics"`
}

// SeatMapRow is a row; its number may follow a gap (no row 13).
type SeatMapRow struct {
	RowNumber int           `json:"RowNumber"`
	Seat      []SeatMapSeat `json:"Seat"`
}

// SeatMapSeat is a seat: RowNumber and Number together name it, "8A".
type SeatMapSeat struct {
	Number               string            `json:"Number"`
	PremiumInd           bool              `json:"premiumInd"`
	ExitRowInd           bool              `json:"exitRowInd"`
	RestrictedReclineInd bool              `json:"restrictedReclineInd"`
	NoInfantInd          bool              `json:"noInfantInd"`
	Facilities           []SeatMapFacility `json:"Facilities,omitempty"`
}

// SeatMapFacility is a remark such as LegSpaceSeat.
type SeatMapFacility struct {
	Detail SeatMapDetail `json:"Detail"`
}

// SeatMapDetail holds the remark.
type SeatMapDetail struct {
	Content string `json:"content"`
}
