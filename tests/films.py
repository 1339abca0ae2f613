"""The header of a crop, as CBIS-DDSM has it."""

from mammoscope.dicom.write import FilmHeader
from mammoscope.vocabulary import Laterality, View

CROP = FilmHeader(
    patient_id="Mass-Training_P_00001_LEFT_CC_1",
    study_uid="2.25.1",
    series_uid="2.25.2",
    sop_uid="2.25.3",
    description="cropped images",
    instance_number=1,
    laterality=Laterality.left,
    view=View.CC,
    study_date="20160720",
    study_time="214643",
    content_date="20160414",
    content_time="121703.122000",
    site="43352602",
)
