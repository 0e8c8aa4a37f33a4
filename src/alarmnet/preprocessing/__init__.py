"""Tables and images as the float32 arrays that networks read.

`TableEncoder` turns a table of numbers, text, dates and durations into a matrix, `ImageScaler` turns images
into values in [0, 1]. Both carry everything they learned as JSON-ready values; `encoder_from_dict` gives
either back.
"""

from alarmnet.preprocessing.encoders import encoder_from_dict
from alarmnet.preprocessing.images import ImageScaler
from alarmnet.preprocessing.summary import EncodingSummary, UnseenCategories
from alarmnet.preprocessing.table_encoder import TableEncoder

__all__ = ["EncodingSummary", "ImageScaler", "TableEncoder", "UnseenCategories", "encoder_from_dict"]
