"""The résumés that are drawn piece by piece with reportlab, one that is an image, and the broken ones."""
import io, random, sys
from pathlib import Path
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

OUT = Path(sys.argv[1])
SANS = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
pdfmetrics.registerFont(TTFont("Sans", SANS))


def cyrillic():
    c = Canvas(str(OUT / "cyrillic.pdf"), pagesize=A4, invariant=1)
    y = 790
    def line(text, size=10, x=60, gap=15):
        nonlocal y
        c.setFont("Sans", size)
        c.drawString(x, y, text)
        y -= gap
    line("Ольга Сергеевна Иванова", 18, gap=24)
    line("Инженер-программист")
    line("Телефон: +7 495 555-01-23    Почта: o.ivanova@example.ru", gap=26)
    line("Опыт работы", 13, gap=18)
    line("март 2018 – настоящее время")
    line("Ведущий разработчик, ООО «Пример Софт», Москва")
    line("• Разработка сервисов на Java и PostgreSQL", x=70)
    line("2014 – 2018")
    line("Программист, АО «Образец»")
    line("• Поддержка внутренних систем на C++", x=70, gap=26)
    line("Образование", 13, gap=18)
    line("2009 – 2014")
    line("Специалист, Московский государственный университет примеров", gap=26)
    line("Навыки", 13, gap=18)
    line("Java, C++, PostgreSQL, Linux, Git", gap=26)
    line("Языки", 13, gap=18)
    line("Русский — родной, английский — B2")
    c.save()


def interleaved():
    """Two columns whose lines are drawn in turn, and each word for itself."""
    left = ["CONTACT", "dev.patel@example.com", "+44 7700 900123", "Leeds, UK", "", "SKILLS", "C#", ".NET", "Azure",
            "SQL Server", "Docker", "", "EDUCATION", "BEng Software Engineering", "University of Leeds", "2012 - 2015"]
    right = ["PROFILE", "Engineer who likes legacy systems and the people", "who have to live with them.", "",
             "EXPERIENCE", "Lead Developer, Ridings Insurance plc", "2020 - Present",
             "\u2022 Replaced a mainframe interface in C#.", "\u2022 Halved the time of a release.", "",
             "Developer, Calder Software Ltd", "2015 - 2020", "\u2022 Wrote scheduling software for hospitals.", "",
             "CERTIFICATIONS", "Azure Solutions Architect"]
    c = Canvas(str(OUT / "interleaved.pdf"), pagesize=A4, invariant=1)
    c.setFont("Helvetica-Bold", 20)
    c.drawCentredString(300, 790, "Dev Patel")
    y = 745
    for a, b in zip(left, right):
        for text, x in ((a, 45), (b, 215)):
            font = "Helvetica-Bold" if text.isupper() and len(text) > 4 else "Helvetica"
            c.setFont(font, 10)
            for word in text.split():
                c.drawString(x, y, word)
                x += pdfmetrics.stringWidth(word + " ", font, 10)
        y -= 16
    c.save()


def scanned():
    image = Image.new("L", (620, 300), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(SANS, 22)
    for i, text in enumerate(["Carlos Example", "Carpenter", "Experience: 2010 - 2020"]):
        draw.text((40, 40 + 50 * i), text, font=font, fill=0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    c = Canvas(str(OUT / "scanned.pdf"), pagesize=A4, invariant=1)
    c.drawImage(ImageReader(buffer), 50, 500, 495, 240)
    c.save()


def locked():
    text = Canvas(str(OUT / "open.tmp"), pagesize=A4, invariant=1)
    for i, line in enumerate(["Ines Example", "ines@example.pt", "Experience", "Baker, Padaria Exemplo, 2015 - 2020",
                              "Skills", "Bread, Pastry"]):
        text.setFont("Helvetica", 16 if i == 0 else 11)
        text.drawString(60, 780 - 22 * i, line)
    text.save()
    for name, password, algorithm in (("encrypted.pdf", "secret", "AES-256"), ("locked-against-changes.pdf", "", "AES-128")):
        writer = PdfWriter(clone_from=PdfReader(OUT / "open.tmp"))
        writer.encrypt(user_password=password, owner_password="owner", algorithm=algorithm)
        writer.write(OUT / name)
    (OUT / "open.tmp").unlink()


def truncated():
    whole = (OUT / "cyrillic.pdf").read_bytes()
    (OUT / "truncated.pdf").write_bytes(whole[: len(whole) // 3])


cyrillic()
interleaved()
scanned()
locked()
truncated()
