"""A document as of Word, whose two columns are a table."""
from docx import Document
from docx.shared import Pt, Cm
d=Document()
t=d.add_table(rows=1,cols=2); a,b=t.rows[0].cells
t.autofit=False
for c,w in ((a,Cm(5)),(b,Cm(11))): c.width=w
def p(c,t,s=10,bold=False,style=None):
    x=c.add_paragraph(style=style); r=x.add_run(t); r.font.size=Pt(s); r.bold=bold; x.paragraph_format.space_after=Pt(2)
p(a,"Fatima El Amrani",18,True); p(a,"Pharmacist",12)
p(a,"CONTACT",11,True); p(a,"Rue Exemple 7, 1000 Brussels"); p(a,"+32 470 55 01 23"); p(a,"fatima@example.be")
p(a,"LANGUAGES",11,True); p(a,"Arabic - native"); p(a,"French - C2"); p(a,"English - B2")
p(b,"PROFILE",11,True); p(b,"Community pharmacist with a focus on chronic care and on training of junior staff.")
p(b,"WORK EXPERIENCE",11,True)
p(b,"Head Pharmacist",10,True); p(b,"Pharmacie du Parc Exemple, Brussels | 06/2017 - now")
p(b,"Responsible for a team of five.",style="List Bullet"); p(b,"Introduced a vaccination service.",style="List Bullet")
p(b,"Pharmacist",10,True); p(b,"Hôpital Saint-Exemple, Liège | 09/2012 - 05/2017")
p(b,"Clinical rounds on two wards.",style="List Bullet")
p(b,"EDUCATION",11,True)
p(b,"Master in Pharmaceutical Sciences",10,True); p(b,"Université libre d'Exemple | 2007 - 2012")
d.save("word-table.docx")
